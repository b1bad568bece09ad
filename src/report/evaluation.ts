import type { EvaluationResult } from "../run/index.js";
import { describeGlue } from "./glue.js";
import { describeMetrics } from "./metrics.js";

/** What was measured of a model, as text. */
export function describeEvaluation({ cases, metrics, text, glue }: EvaluationResult): string {
  const parts: string[] = [];
  if (metrics !== undefined) parts.push(`${cases} facts\n\n${describeMetrics(null, metrics)}`);
  if (text !== undefined) {
    const { perplexity, predicted, window, file } = text;
    parts.push(`perplexity ${perplexity.toFixed(3)} over ${predicted} tokens of ${file}, in windows of ${window}`);
  }
  if (glue !== undefined) parts.push(describeGlue(glue));
  return parts.join("\n\n");
}
