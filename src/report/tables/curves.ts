import type { Metrics, Statistic } from "../../evaluate/index.js";
import type { EvaluationLine, RunFiles } from "../../run/index.js";
import { csvLines } from "./table-file.js";

type Value = string | number | null;

const headings = [
  ...["run", "model", "dataset", "method", "edits"],
  ...["layer", "preservation loss", "threshold", "queue", "weight"],
  ...["measure", "value"],
];

/**
 * What changed during the runs, as a CSV file for whoever draws curves: a line per run, batch and layer, in which the last two
 * columns are empty, then a line per figure that was measured along the way, in which the five before them are.
 */
export function curvesCsv(runs: readonly RunFiles[]): string {
  return `${csvLines([headings, ...runs.flatMap((run) => [...layerLines(run), ...evaluationLines(run)])])}\n`;
}

function layerLines(run: RunFiles): Value[][] {
  return run.batches.flatMap(({ edits, layers }) =>
    layers.map(({ layer, preservationLoss, threshold, queue, weight }) => {
      return [...aboutRun(run), edits, layer, preservationLoss, threshold, queue, weight, null, null];
    }),
  );
}

function evaluationLines(run: RunFiles): Value[][] {
  return run.evaluations.flatMap((line) =>
    figuresOf(line).map(([name, value]) => [...aboutRun(run), line.edits, null, null, null, null, null, name, value]),
  );
}

function aboutRun({ name, record }: RunFiles): Value[] {
  return [name, record.model.name, record.dataset.name, record.method.name];
}

function figuresOf(line: EvaluationLine): [name: string, value: number | null][] {
  switch (line.kind) {
    case "glue":
      return [
        ["glue f1", line.f1],
        ...Object.entries(line.tasks).map(([task, { f1 }]) => [`glue f1 ${task}`, f1] as [string, number]),
      ];
    case "perplexity":
      return [["perplexity", line.perplexity]];
    case "knowledge":
      return [["knowledge", line.accuracy.mean]];
    case "metrics":
      return [...meansOf(line.metrics, ""), ...meansOf(line.firstBatch, " of the first batch")];
  }
}

/** Of what was measured. */
function meansOf(metrics: Metrics, suffix: string): [string, number][] {
  return Object.entries(metrics)
    .filter((entry): entry is [string, Statistic] => typeof entry[1] === "object" && entry[1].count > 0)
    .map(([name, { mean }]) => [name + suffix, mean]);
}
