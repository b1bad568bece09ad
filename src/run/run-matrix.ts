import { resolve } from "node:path";
import { throwIfAborted } from "../base/abort.js";
import { LyaplockError } from "../errors.js";
import type { RunEvents } from "./events.js";
import { type ExperimentResult, runExperiment } from "./experiment.js";
import { MatrixDirectory, type MatrixOrigin, type MatrixRunState } from "./matrix-directory.js";
import { type PlannedRun, readMatrix } from "./matrix-file.js";
import type { SessionOptions } from "./request.js";
import { RunDirectory } from "./run-directory.js";

export interface MatrixOptions extends SessionOptions {
  /** The file that describes the runs; where one goes on, by default the one it was begun with. */
  file?: string | undefined;
  /** Where each gets its directory. */
  directory: string;
  /** What "{data}" stands for in the file; `data` beside the file, or what it stood for before, if left out. */
  data?: string | undefined;
  /** Go on: finished runs are left alone, interrupted ones go on, failed ones are tried again. */
  resume?: boolean | undefined;
}

export interface MatrixResult {
  directory: string;
  /** In their order. */
  runs: (MatrixRunState & { directory: string })[];
}

/**
 * Runs a matrix of models, data sets, methods and their options, one run after the other, each as `runExperiment` does. A run
 * that fails is recorded, and the others go on.
 *
 * @throws ERR_INVALID_ARGUMENT for a file that cannot be used; ERR_RUN_DIRECTORY; ERR_ABORTED. Failures of single runs are
 *   in the result.
 */
export async function runMatrix(
  { file, directory: path, data, resume = false, ...session }: MatrixOptions,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<MatrixResult> {
  const directory = new MatrixDirectory(path);
  const origin = await originOf(directory, { file, data, resume });
  const planned = await readMatrix(origin.file, origin.data);
  if (!resume && (await directory.holdsMatrix())) {
    const what = `${directory.path} holds an experiment. Go on with it with --resume, or choose another directory.`;
    throw new LyaplockError("ERR_RUN_DIRECTORY", what);
  }
  const lock = await directory.occupy();
  try {
    return { directory: directory.path, runs: await runAll(planned, origin, directory, session, events, signal) };
  } finally {
    await lock.release();
  }
}

/** @throws ERR_INVALID_ARGUMENT, ERR_RUN_DIRECTORY without a file, unless there is a matrix to go on with that names its own. */
async function originOf(
  directory: MatrixDirectory,
  { file, data, resume }: Pick<MatrixOptions, "file" | "data" | "resume">,
): Promise<MatrixOrigin> {
  const given = data === undefined ? {} : { data: resolve(data) };
  if (file !== undefined) return { file: resolve(file), ...given };
  if (!resume) throw new LyaplockError("ERR_INVALID_ARGUMENT", "a new experiment needs a file that describes its runs");
  return { ...(await directory.origin()), ...given };
}

async function runAll(
  planned: readonly PlannedRun[],
  origin: MatrixOrigin,
  directory: MatrixDirectory,
  session: SessionOptions,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<MatrixResult["runs"]> {
  const states: MatrixRunState[] = planned.map(({ name }) => ({ name, state: "waiting" }));
  await directory.write({ origin, runs: states });
  for (const [index, run] of planned.entries()) {
    const place = `run ${index + 1} of ${planned.length}`;
    states[index] = await runOne(run, place, directory, session, events, signal);
    await directory.write({ origin, runs: states });
  }
  return states.map((state) => ({ ...state, directory: directory.run(state.name) }));
}

async function runOne(
  { name, options }: PlannedRun,
  place: string,
  directory: MatrixDirectory,
  session: SessionOptions,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<MatrixRunState> {
  events.onNote?.(`${capital(place)}: ${name}`);
  try {
    const path = directory.run(name);
    const resume = ["interrupted", "finished"].includes(await new RunDirectory(path).state());
    const result = await runExperiment(
      { ...options, ...session, directory: path, resume },
      within(place, events),
      signal,
    );
    events.onNote?.(result.alreadyFinished ? `${name} was finished before.` : outcome(name, result));
    return { name, state: "finished" };
  } catch (error) {
    throwIfAborted(signal);
    const code = error instanceof LyaplockError ? error.code : "ERR_INTERNAL";
    const message = error instanceof Error ? error.message : String(error);
    events.onNote?.(`${name} failed: ${message} (${code})`);
    return { name, state: "failed", error: { code, message } };
  }
}

/** Whether a directory is one that `runMatrix` fills, of runs that have begun or will. */
export function holdsMatrix(path: string): Promise<boolean> {
  return new MatrixDirectory(path).holdsMatrix();
}

/** What a run tells, with its place among the others. */
function within(place: string, events: RunEvents): RunEvents {
  return {
    onProgress: (progress) => events.onProgress?.({ ...progress, stage: `${place}, ${progress.stage}` }),
    onNote: (text) => events.onNote?.(text),
    onBatch: (batch) => events.onBatch?.(batch),
    onEvaluation: (line) => events.onEvaluation?.(line),
  };
}

function outcome(name: string, { summary }: ExperimentResult): string {
  const { efficacy, specificity } = summary.after;
  const figures = `efficacy ${efficacy.mean.toFixed(1)} %, specificity ${specificity.mean.toFixed(1)} %`;
  return `${name}: ${figures} after ${summary.edits} edits, in ${summary.seconds.total.toFixed(0)} s.`;
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}
