import type { TraceSummary } from "../run/index.js";
import { tenths } from "./table.js";
import { formatTables } from "./tables/table-file.js";
import { describeSuggestion, effectTables, withBand } from "./tables/trace-tables.js";

/** What a trace came to: the total effect, a table of average indirect effects for each kind, and the layers to edit. */
export function describeTrace(summary: TraceSummary): string {
  const { average, skipped, noise, samples, model } = summary;
  const { facts, high, low, totalEffect } = average;
  return [
    `${facts} facts that ${model.name} knows (${skipped.unknown} others it does not know, ${skipped.unusable} could not be used)`,
    `the answer's probability: ${percent(high.mean)} clean, ${percent(low.mean)} with noise of ${noise.toFixed(4)} on the subject ` +
      `(${samples} ${samples === 1 ? "copy" : "copies"}); total effect ${withBand(totalEffect)}`,
    formatTables(effectTables(summary), "text"),
    describeSuggestion(summary),
  ].join("\n\n");
}

function percent(probability: number): string {
  return `${tenths(100 * probability)} %`;
}
