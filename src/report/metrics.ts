import { evenlySpread } from "../base/evenly-spread.js";
import type { BatchMetrics, Metrics, Statistic } from "../evaluate/index.js";
import { table } from "./table.js";

/** Accuracies are in summary.json: they would bury what the paper's tables have. */
type ShownMetric = Exclude<keyof Metrics, `${string}Accuracy`>;

const meanings: Record<ShownMetric, string> = {
  efficacy: "the edited prompts say the new fact",
  generalization: "so do paraphrases of them",
  specificity: "other subjects keep their facts",
  score: "harmonic mean of efficacy, generalization, specificity",
  fluency: "generated text does not repeat itself (entropy, in 1/100 bit)",
  consistency: "it is like what people wrote on the new fact",
};

/** Metrics in percent, before (where they were taken) and after. */
export function describeMetrics(before: Metrics | null, after: Metrics): string {
  const names = (Object.keys(meanings) as ShownMetric[]).filter((name) => after[name] !== undefined);
  const rows = names.map((name) => [
    name,
    ...(before === null ? [] : [percent(before[name])]),
    percent(after[name]),
    meanings[name],
  ]);
  const right = "right" as const;
  const columns =
    before === null
      ? [{ heading: "%", align: right }]
      : ["before", "after"].map((heading) => ({ heading: `${heading}, %`, align: right }));
  return table([{ heading: "metric" }, ...columns, { heading: "" }], rows);
}

/** Efficacy by the age of the edits, in a line: of many batches a few, evenly spread, with the first and the last. */
export function describeByBatch(batches: readonly BatchMetrics[], shown = 10): string {
  const list = evenlySpread(batches, shown).map(({ batch, efficacy }) => `${batch}: ${efficacy.mean.toFixed(1)}`);
  return `Efficacy at the end by the batch a fact was in, %: ${list.join(", ")}`;
}

/** "97.8 ± 0.7" */
export function percent(figure: Statistic | number | undefined): string {
  if (figure === undefined || (typeof figure === "object" && figure.count === 0)) return "not measured";
  if (typeof figure === "number") return figure.toFixed(1);
  return `${figure.mean.toFixed(1)} ± ${figure.standardError.toFixed(1)}`;
}
