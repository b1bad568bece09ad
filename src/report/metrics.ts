import type { Metrics } from "../evaluate/index.js";
import { table } from "./table.js";

const meanings: Record<keyof Metrics, string> = {
  efficacy: "the edited prompts say the new fact",
  generalization: "so do paraphrases of them",
  specificity: "other subjects keep their facts",
};

/** Metrics in percent, before (where they were taken) and after. */
export function describeMetrics(before: Metrics | null, after: Metrics): string {
  const names = Object.keys(meanings) as (keyof Metrics)[];
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

function percent({ mean, standardError, count }: Metrics[keyof Metrics]): string {
  if (count === 0) return "not measured";
  return `${mean.toFixed(1)} ± ${standardError.toFixed(1)}`;
}
