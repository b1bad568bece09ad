import type { Measured } from "./evaluation-line.js";
import type { RunRequest } from "./request.js";

/**
 * What is due after so many edits, which end a batch or are none. A number of edits that falls into a batch is reached at its
 * end. Metrics after the last batch are not among it: every run has them.
 *
 * @param facts All that the run edits.
 */
export function dueAfter(edits: number, facts: number, asked: RunRequest): Measured["kind"][] {
  const due: Measured["kind"][] = [];
  const before = Math.floor((edits - 1) / asked.batch) * asked.batch;
  const reached = (every: number) => Math.floor(edits / every) > Math.floor(before / every);
  if (edits === 0 || edits === facts || reached(asked.glueEvery)) {
    if (asked.glue !== null) due.push("glue");
    if (asked.perplexity !== null) due.push("perplexity");
    if (asked.knowledge !== null) due.push("knowledge");
  }
  if (asked.evalEvery !== null && edits > 0 && edits < facts && reached(asked.evalEvery)) due.push("metrics");
  return due;
}
