import { join } from "node:path";
import type { RunEvents } from "./events.js";
import { type ExperimentResult, runExperiment } from "./experiment.js";
import type { MethodName } from "./method.js";
import type { ExperimentOptions } from "./request.js";
import { RunDirectory } from "./run-directory.js";
import { readRunRecord } from "./run-record.js";

export interface DemoOptions {
  /** Facts to edit. */
  edits?: number;
  directory?: string;
}

/** Of every demo. */
const asked = { model: "builtin:atlas", dataset: "atlas", edits: 500, batch: 50, metricsBefore: true };

/**
 * The main job at a small size: edits facts of the built-in model in sequence, with metrics before and after. A demo that
 * was interrupted goes on; one that was finished is cleared away and starts over.
 */
export async function runDemo(
  { edits = asked.edits, directory = "runs/demo" }: DemoOptions,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<ExperimentResult> {
  if ((await stateOf(directory)) === "finished") await clear(directory);
  return runOrGoOn({ ...asked, directory, edits, method: "lyaplock" }, events, signal);
}

/** What the comparison sets side by side. */
const compared: MethodName[] = ["lyaplock", "memit-sequential"];

/**
 * The same facts edited with LyapLock and with sequential MEMIT, each an ordinary run in a directory of its own. A
 * comparison that was interrupted goes on; one that was finished starts over.
 *
 * @returns LyapLock's run first.
 */
export async function compareDemo(
  { edits = asked.edits, directory = "runs/demo-compare" }: DemoOptions,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<ExperimentResult[]> {
  const runs = compared.map((method) => ({ method, directory: join(directory, method) }));
  const states = await Promise.all(runs.map((run) => stateOf(run.directory)));
  if (states.every((state) => state === "finished")) for (const run of runs) await clear(run.directory);

  const results: ExperimentResult[] = [];
  for (const { method, directory } of runs) {
    events.onNote?.(`Editing with ${method}:`);
    results.push(await runOrGoOn({ ...asked, directory, edits, method, knowledge: "atlas" }, events, signal));
  }
  return results;
}

async function runOrGoOn(
  options: ExperimentOptions,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<ExperimentResult> {
  const resume = ["interrupted", "finished"].includes(await stateOf(options.directory));
  return runExperiment({ ...options, resume }, events, signal);
}

function stateOf(directory: string): ReturnType<RunDirectory["state"]> {
  return new RunDirectory(directory).state();
}

async function clear(directory: string): Promise<void> {
  const place = new RunDirectory(directory);
  await readRunRecord(place.record); // what is no run of ours is not ours to clear
  const lock = await place.occupy();
  try {
    await place.clear();
  } finally {
    await lock.release();
  }
}
