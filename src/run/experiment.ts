import { rmdir } from "node:fs/promises";
import { writeJson } from "../base/files.js";
import { readJsonFile } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";
import { readEditRecord } from "./edited-model.js";
import { type EvaluationLine, readEvaluations } from "./evaluation-line.js";
import type { RunEvents } from "./events.js";
import { type Example, readExamples } from "./examples.js";
import { completeFromRecord, completeRequest, type ExperimentOptions, type SessionOptions } from "./request.js";
import { notARun, RunDirectory, type RunDirectoryState } from "./run-directory.js";
import { prepareRun, type RunInputs } from "./run-inputs.js";
import { environmentChange, type RunRecord, readRunRecord } from "./run-record.js";
import { Stopwatch } from "./seconds.js";
import { Session } from "./session.js";
import type { Summary } from "./summary.js";
import type { WeightChange } from "./weight-changes.js";

/** A finished run, as its directory has it. */
export interface ExperimentResult {
  directory: string;
  /** The run was finished before, and nothing was done. */
  alreadyFinished: boolean;
  summary: Summary;
  /** What was measured during the run, in order. */
  evaluations: EvaluationLine[];
  weightChanges: WeightChange[];
  examples: Example[];
  /** What was asked, and which facts were skipped. */
  record: RunRecord;
}

/**
 * Edits the facts of a dataset in sequence and evaluates the result, in a run directory that survives interruption.
 *
 * Everything is read and checked before the directory is touched. A run that is killed at any moment and resumed ends
 * with the files, times apart, of one that was not: whatever is on the disk beyond the last checkpoint is done again.
 *
 * @throws ERR_COLLAPSE, where `stopOnCollapse` asks for it; the run can be resumed then, and goes on until the next such alarm.
 *
 * @example
 * const { summary } = await runExperiment({ directory: "runs/first", model: "builtin:atlas", dataset: "atlas", edits: 100 });
 */
export async function runExperiment(
  { watched, stopOnCollapse, ...options }: ExperimentOptions & SessionOptions,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<ExperimentResult> {
  const directory = new RunDirectory(options.directory);
  const state = await directory.state();
  await directory.refuseIfInUse();
  refuseState(directory.path, state, options.resume ?? false);

  const recorded = isRun(state) ? await readRunRecord(directory.record) : undefined;
  const request = recorded === undefined ? completeRequest(options) : completeFromRecord(options, recorded.asked);
  if (state === "finished") return readResult(directory, true);
  if (options.resume === true && recorded === undefined) {
    events.onNote?.(`There is no run in ${directory.path} yet: beginning one.`);
  }

  const stopwatch = new Stopwatch();
  const inputs = await prepareRun(request, recorded, stopwatch, events, signal);
  try {
    await inDirectory(directory, state, async () => {
      await recordRun(directory, recorded, inputs, events);
      await new Session(directory, inputs, stopwatch, events, signal, { watched, stopOnCollapse }).finish();
    });
  } finally {
    inputs.dispose();
  }
  return readResult(directory, false);
}

/** A run directory is entered if it is new, or, to resume, if it holds a run. */
function refuseState(path: string, state: RunDirectoryState, resume: boolean): void {
  if (state === "foreign") throw notARun(path);
  if (resume || !isRun(state)) return;
  const advice =
    state === "interrupted"
      ? "holds a run that was interrupted. Go on with it with --resume, or choose another directory."
      : "holds a finished run. Choose another directory, or remove it.";
  throw new LyaplockError("ERR_RUN_DIRECTORY", `${path} ${advice}`);
}

function isRun(state: RunDirectoryState): boolean {
  return state === "interrupted" || state === "finished";
}

/** Works under the directory's lock, and leaves no directory behind in which nothing was written. */
async function inDirectory(
  directory: RunDirectory,
  expected: RunDirectoryState,
  work: () => Promise<void>,
): Promise<void> {
  const lock = await directory.occupy();
  try {
    const state = await directory.state();
    if (isRun(state) !== isRun(expected) || state === "finished") {
      throw new LyaplockError(
        "ERR_RUN_DIRECTORY",
        `Another process ran in ${directory.path} just now. Look, and try again.`,
      );
    }
    await work();
  } finally {
    await lock.release();
    await rmdir(directory.path).catch(() => undefined); // fails, rightly, where anything is in it
  }
}

/** run.json is the first file of a run: it makes the directory one. */
async function recordRun(
  directory: RunDirectory,
  recorded: RunRecord | undefined,
  inputs: RunInputs,
  events: RunEvents,
): Promise<void> {
  if (recorded !== undefined) {
    const change = environmentChange(recorded.environment, inputs.record.environment);
    if (change !== undefined) events.onNote?.(change);
    return;
  }
  await writeJson(directory.record, inputs.record);
}

async function readResult(directory: RunDirectory, alreadyFinished: boolean): Promise<ExperimentResult> {
  return {
    directory: directory.path,
    alreadyFinished,
    summary: (await readJsonFile(directory.summary, "ERR_RUN_DIRECTORY")) as Summary,
    evaluations: await readEvaluations(directory.evaluations),
    weightChanges: (await readEditRecord(directory.model))?.weightChanges ?? [],
    examples: await readExamples(directory.examples),
    record: await readRunRecord(directory.record),
  };
}
