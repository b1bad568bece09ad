import type { BatchReport } from "../edit/report.js";

/** A line of batches.jsonl. */
export type BatchLine = Omit<BatchReport, "values" | "seconds"> & {
  seconds: BatchReport["seconds"] & { evaluation: number };
  residentBytes: number;
};

export function batchLine({ batch, edits, layers, seconds }: BatchReport): BatchLine {
  return { batch, edits, layers, seconds: { ...seconds, evaluation: 0 }, residentBytes: process.memoryUsage.rss() };
}
