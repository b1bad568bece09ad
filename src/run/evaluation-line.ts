import type { GlueScores, Knowledge, Metrics, Perplexity } from "../evaluate/index.js";
import { readJsonLines } from "./json-lines.js";

/** What can be measured during a run. */
export type Measured =
  | ({ kind: "glue" } & GlueScores)
  | ({ kind: "perplexity" } & Perplexity)
  | ({ kind: "knowledge" } & Knowledge)
  /** Of all facts edited so far, and of those of the first batch. */
  | { kind: "metrics"; metrics: Metrics; firstBatch: Metrics };

/** A line of evaluations.jsonl: the model as it was after so many edits. */
export type EvaluationLine = { edits: number; seconds: number } & Measured;

export async function readEvaluations(path: string): Promise<EvaluationLine[]> {
  const lines: EvaluationLine[] = [];
  for await (const line of readJsonLines<EvaluationLine>(path)) lines.push(line);
  return lines;
}

/** The last line of one kind. */
export function lastOf<Kind extends Measured["kind"]>(
  lines: readonly EvaluationLine[],
  kind: Kind,
): Extract<EvaluationLine, { kind: Kind }> | undefined {
  return lines.findLast((line): line is Extract<EvaluationLine, { kind: Kind }> => line.kind === kind);
}
