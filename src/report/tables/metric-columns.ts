import type { Metrics, Statistic } from "../../evaluate/index.js";
import { type FinishedRun, groupBy } from "./labels.js";
import type { Cell, ReportColumn } from "./table-file.js";

/** The paper's names of the metrics. */
const names = {
  efficacy: "Eff",
  generalization: "Gen",
  specificity: "Spe",
  fluency: "Flu",
  consistency: "Consis",
};
type MetricName = keyof typeof names;

const datasetTitles: Record<string, string> = { counterfact: "CounterFact", zsre: "ZsRE", atlas: "atlas" };

/** The columns of the metrics that some of the runs have, data set by data set, and what stands in them. */
export interface MetricColumns {
  columns: ReportColumn[];
  /** Of the metrics of runs on different data sets, by the name of the data set. */
  cells(byDataset: ReadonlyMap<string, Metrics>): Cell[];
}

export function metricColumns(runs: readonly FinishedRun[]): MetricColumns {
  const datasets = [...groupBy(runs, datasetOf)];
  const chosen = datasets.flatMap(([dataset, members]) =>
    (Object.keys(names) as MetricName[])
      .filter((name) => members.some(({ summary }) => measured(summary.after, name) !== null))
      .map((name) => ({ dataset, name })),
  );
  return {
    columns: chosen.map(({ dataset, name }) => ({ group: datasetTitles[dataset] ?? dataset, heading: names[name] })),
    cells: (byDataset) => chosen.map(({ dataset, name }) => measured(byDataset.get(dataset), name)),
  };
}

export function datasetOf({ record }: FinishedRun): string {
  return record.dataset.name;
}

function measured(metrics: Metrics | undefined, name: MetricName): Statistic | null {
  const statistic = metrics?.[name];
  return statistic === undefined || statistic.count === 0 ? null : statistic;
}
