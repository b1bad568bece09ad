import { alphaOf, editsOf, type FinishedRun, groupBy, methodLabel } from "./labels.js";
import { datasetOf, metricColumns } from "./metric-columns.js";
import type { Cell, ReportTable } from "./table-file.js";

/** The paper's Table 4: runs that differ in α alone, by rising α. */
export function alphaTables(runs: readonly FinishedRun[]): ReportTable[] {
  const series = groupBy(
    runs.filter((run) => alphaOf(run) !== null),
    (run) => [editsOf(run), methodLabel(run)].join("\n"),
  );
  return [...series.values()].flatMap((members) => {
    const alphas = [...new Set(members.map((run) => alphaOf(run)!))].sort((a, b) => a - b);
    return alphas.length < 2 ? [] : [alphaTable(members, alphas)];
  });
}

function alphaTable(runs: FinishedRun[], alphas: number[]): ReportTable {
  const { columns, cells } = metricColumns(runs);
  const rows: Cell[][] = [];
  for (const [model, members] of groupBy(runs, ({ record }) => record.model.name)) {
    for (const alpha of alphas) {
      const same = members.filter((run) => alphaOf(run) === alpha);
      if (same.length === 0) continue;
      rows.push([model, alpha, ...cells(new Map(same.map((run) => [datasetOf(run), run.summary.after])))]);
    }
  }
  return {
    title: `${methodLabel(runs[0]!)} by α, ${editsOf(runs[0]!)} edits`,
    columns: [{ heading: "model" }, { heading: "α" }, ...columns],
    rows,
  };
}
