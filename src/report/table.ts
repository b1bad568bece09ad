import CliTable from "cli-table3";

export type Alignment = "left" | "right";

/** A column: its heading and the side its cells keep to. */
export interface Column {
  heading: string;
  align?: Alignment;
}

/** A table for the terminal, without colours and with only a line under the headings: it can be pasted anywhere. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const bare = { top: "", "top-mid": "", "top-left": "", "top-right": "", bottom: "", "bottom-mid": "" };
  const sides = { "bottom-left": "", "bottom-right": "", left: "", "left-mid": "", mid: "", "mid-mid": "" };
  const built = new CliTable({
    head: columns.map(({ heading }) => heading),
    colAligns: columns.map(({ align = "left" }) => align),
    chars: { ...bare, ...sides, right: "", "right-mid": "", middle: "  " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  built.push(...rows.map((row) => [...row]));
  const lines = built.toString().split("\n");
  const widest = Math.max(...lines.map((line) => line.trimEnd().length));
  const headLines = Math.max(...columns.map(({ heading }) => heading.split("\n").length));
  lines.splice(headLines, 0, "─".repeat(widest));
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** Four significant digits, without an exponent where a reader can do without. */
export function figure(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}

/** With one digit after the point, and no minus where nothing but noughts is left. */
export function tenths(value: number): string {
  return value.toFixed(1).replace(/^-(?=0\.0$)/, "");
}

/** A text in quotes, cut where it is longer than a column should be. */
export function quoted(text: string, longest = 48): string {
  const line = text.replace(/\s+/g, " ");
  return `"${line.length > longest ? `${line.slice(0, longest - 1)}…` : line}"`;
}
