import type { BatchReport } from "../edit/report.js";
import type { BatchLine } from "./batch-line.js";
import type { EvaluationLine } from "./evaluation-line.js";

/** How far a part of the work has come. */
export interface Progress {
  /** "second moments", "checks", "metrics before", "editing", "GLUE", "metrics after". */
  stage: string;
  /** Inside the stage: "batch 3 of 10: values". */
  detail?: string;
  done: number;
  /** Absent where nobody knows beforehand. */
  of?: number;
  /** What is counted: "facts", "tokens", "cases". */
  unit: string;
}

/** A batch, as its line has it, and how its values ended. */
export type FinishedBatch = BatchLine & Pick<BatchReport, "values">;

/** What a run tells while it is under way. None of these may throw. */
export interface RunEvents {
  onProgress?(progress: Progress): void;
  /** Something a person should know, in a sentence. */
  onNote?(text: string): void;
  /** A batch is in the weights and on the disk. */
  onBatch?(batch: FinishedBatch): void;
  /** Something was measured during a run, and is on the disk. */
  onEvaluation?(line: EvaluationLine): void;
}
