import type { Metrics } from "../../evaluate/index.js";
import { alphaOf, byMethod, editsOf, type FinishedRun, groupBy, labelAmong, methodLabel } from "./labels.js";
import { datasetOf, metricColumns } from "./metric-columns.js";
import type { Cell, ReportTable } from "./table-file.js";

/**
 * The paper's Table 1, and Tables 2 and 3 where there are runs of other numbers of edits: for every model, the unedited one and
 * each method, with the metrics of each data set. The most edits come first.
 *
 * Combinations and runs of every α have tables of their own; among other methods, of runs that differ in α alone those with the α of their hyperparameters are
 * taken, where there are such.
 */
export function mainTables(runs: readonly FinishedRun[]): ReportTable[] {
  const plain = runs.filter(({ record }) => record.method.base === undefined);
  const byEdits = [...groupBy(plain, editsOf)].sort(([a], [b]) => b - a);
  return byEdits.flatMap(([edits, members]) => {
    const isSweep = new Set(members.map(methodLabel)).size === 1 && new Set(members.map(alphaOf)).size > 1;
    return isSweep ? [] : [mainTable(edits, withUsualAlpha(members))];
  });
}

function mainTable(edits: number, runs: FinishedRun[]): ReportTable {
  const { columns, cells } = metricColumns(runs);
  const rows: Cell[][] = [];
  for (const [model, members] of groupBy(runs, ({ record }) => record.model.name)) {
    const measured = members.flatMap((run): [string, Metrics][] =>
      run.summary.before === null ? [] : [[datasetOf(run), run.summary.before]],
    );
    if (measured.length > 0) rows.push([model, "unedited", ...cells(new Map(measured))]);
    for (const [label, same] of groupBy([...members].sort(byMethod), labelAmong(members, datasetOf))) {
      rows.push([model, label, ...cells(new Map(same.map((run) => [datasetOf(run), run.summary.after])))]);
    }
  }
  const batches = [...new Set(runs.map(({ record }) => record.asked.batch))].sort((a, b) => a - b);
  return {
    title: `${edits} edits, in batches of ${batches.join(", ")}`,
    columns: [{ heading: "model" }, { heading: "method" }, ...columns],
    rows,
  };
}

function withUsualAlpha(runs: readonly FinishedRun[]): FinishedRun[] {
  const groups = groupBy(runs, (run) => `${run.record.model.name}\n${datasetOf(run)}\n${methodLabel(run)}`);
  return [...groups.values()].flatMap((members) => {
    const usual = members.filter((run) => alphaOf(run) === (run.record.hyperparameters.alpha ?? usualAlpha));
    return usual.length === 0 ? members : usual;
  });
}

/** The paper's. */
const usualAlpha = 60;
