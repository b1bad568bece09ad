import type { RunEvents } from "./events.js";
import { type ExperimentResult, runExperiment } from "./experiment.js";
import { RunDirectory } from "./run-directory.js";
import { readRunRecord } from "./run-record.js";

export interface DemoOptions {
  /** Facts to edit. */
  edits?: number;
  directory?: string;
}

/**
 * The main job at a small size: edits facts of the built-in model in sequence, with metrics before and after. A demo that
 * was interrupted goes on; one that was finished is cleared away and starts over.
 */
export async function runDemo(
  { edits = 500, directory = "runs/demo" }: DemoOptions,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<ExperimentResult> {
  const place = new RunDirectory(directory);
  if ((await place.state()) === "finished") {
    await readRunRecord(place.record); // what is no run of ours is not ours to clear
    const lock = await place.occupy();
    try {
      await place.clear();
    } finally {
      await lock.release();
    }
  }
  return runExperiment(
    {
      directory,
      resume: (await place.state()) === "interrupted",
      model: "builtin:atlas",
      dataset: "atlas",
      method: "lyaplock",
      edits,
      batch: 50,
      metricsBefore: true,
    },
    events,
    signal,
  );
}
