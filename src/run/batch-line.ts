import type { BatchReport } from "../edit/report.js";
import type { Statistic } from "../evaluate/index.js";
import { type Alarm, countUnconverged } from "./alarms.js";

/** A line of batches.jsonl. */
export type BatchLine = Omit<BatchReport, "values" | "seconds"> & {
  /** Facts whose value ended with their target still improbable. Lines of earlier versions have none. */
  unconverged?: number;
  /** Efficacy on the first facts of the run, where it was measured with the batch. */
  recalled?: Statistic;
  /** What has begun to go wrong with this batch; absent where nothing has. */
  alarms?: Alarm[];
  seconds: BatchReport["seconds"] & { evaluation: number };
  residentBytes: number;
};

export function batchLine({ batch, edits, layers, values, seconds }: BatchReport): BatchLine {
  return {
    ...{ batch, edits, layers, unconverged: countUnconverged(values) },
    seconds: { ...seconds, evaluation: 0 },
    residentBytes: process.memoryUsage.rss(),
  };
}
