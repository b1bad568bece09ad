// A benchmark names its columns once, as pairs of a heading and what a row says under it; a terminal and the documentation
// show the same ones.

export const seconds = (value) => (value === undefined ? "left out" : plain(value));
export const percent = (share) => (share === undefined ? "" : `${(100 * share).toFixed(0)} %`);
export const times = (ratio) => (ratio === undefined ? "left out" : `${plain(ratio)} ×`);
export const gigaflops = (value) => (value === undefined ? "" : value.toFixed(1));
export const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);
export const difference = (value) => (value === undefined ? "left out" : value.toExponential(1));

/** Three digits, without an exponent where there are more before the point. */
const plain = (value) => (value < 1000 ? value.toPrecision(3) : value.toFixed(0));

export function printTable(columns, rows) {
  console.table(rows.map((row) => Object.fromEntries(columns.map(([heading, cell]) => [heading, cell(row)]))));
}

export function markdownTable(columns, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [
    line(columns.map(([heading]) => heading)),
    line(columns.map(() => "---")),
    ...rows.map((row) => line(columns.map(([, cell]) => String(cell(row)).replaceAll("|", "\\|")))),
  ].join("\n");
}
