import type { RunFiles } from "../../run/index.js";
import { csvLines } from "./table-file.js";

/** A line per run, batch and layer, as a CSV file for whoever draws curves. */
export function curvesCsv(runs: readonly RunFiles[]): string {
  const headings = [
    "run",
    "model",
    "dataset",
    "method",
    "edits",
    "layer",
    "preservation loss",
    "threshold",
    "queue",
    "weight",
  ];
  const lines = runs.flatMap(({ name, record, batches }) =>
    batches.flatMap(({ edits, layers }) =>
      layers.map(({ layer, preservationLoss, threshold, queue, weight }) => {
        const about = [name, record.model.name, record.dataset.name, record.method.name, edits, layer];
        return [...about, preservationLoss, threshold, queue, weight];
      }),
    ),
  );
  return `${csvLines([headings, ...lines])}\n`;
}
