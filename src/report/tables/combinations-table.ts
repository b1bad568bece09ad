import type { Metrics } from "../../evaluate/index.js";
import { editsOf, type FinishedRun, groupBy, labelAmong, methodLabel } from "./labels.js";
import { datasetOf, metricColumns } from "./metric-columns.js";
import type { Cell, ReportTable } from "./table-file.js";

/** The paper's Figure 5: each base method beside LyapLock on it, and what that adds. */
export function combinationTables(runs: readonly FinishedRun[]): ReportTable[] {
  const combined = runs.filter(({ record }) => record.method.base !== undefined);
  return [...groupBy(combined, editsOf)].map(([edits, members]) => combinationTable(edits, members, runs));
}

function combinationTable(edits: number, combined: FinishedRun[], all: readonly FinishedRun[]): ReportTable {
  const { columns, cells } = metricColumns(combined);
  const label = labelAmong(combined);
  const rows: Cell[][] = [];
  const pairs = groupBy(combined, (run) => [run.record.model.name, label(run)].join("\n"));
  for (const members of pairs.values()) {
    const { record } = members[0]!;
    const bases = all.filter(
      (run) =>
        run.record.method.name === record.method.base &&
        run.record.model.name === record.model.name &&
        editsOf(run) === edits,
    );
    const [before, after] = [cells(metricsOf(bases)), cells(metricsOf(members))];
    if (bases.length > 0) rows.push([record.model.name, methodLabel(bases[0]!), ...before]);
    rows.push([record.model.name, label(members[0]!), ...after]);
    if (bases.length > 0)
      rows.push([record.model.name, "difference", ...after.map((cell, i) => gain(before[i]!, cell))]);
  }
  return {
    title: `LyapLock on other methods, ${edits} edits`,
    columns: [{ heading: "model" }, { heading: "method" }, ...columns],
    rows,
  };
}

function metricsOf(runs: readonly FinishedRun[]): Map<string, Metrics> {
  return new Map(runs.map((run) => [datasetOf(run), run.summary.after]));
}

/** Of the means. Their errors are not independent, so the difference has none here. */
function gain(before: Cell, after: Cell): Cell {
  if (before === null || after === null || typeof before !== "object" || typeof after !== "object") return null;
  return after.mean - before.mean;
}
