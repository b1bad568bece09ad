import { basename, resolve } from "node:path";
import { exists } from "../base/files.js";
import { readJsonFile } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";
import type { BatchLine } from "./batch-line.js";
import { type EvaluationLine, readEvaluations } from "./evaluation-line.js";
import { type Example, readExamples } from "./examples.js";
import { readAllJsonLines } from "./json-lines.js";
import { MatrixDirectory } from "./matrix-directory.js";
import { RunDirectory } from "./run-directory.js";
import { type RunRecord, readRunRecord } from "./run-record.js";
import type { Summary } from "./summary.js";

/** What a run directory holds, read. */
export interface RunFiles {
  /** Of the directory. */
  name: string;
  directory: string;
  record: RunRecord;
  batches: BatchLine[];
  evaluations: EvaluationLine[];
  /** Null while the run is under way or interrupted. */
  summary: Summary | null;
}

/**
 * Reads runs: of run directories, and all those of the directories that `runMatrix` filled, as far as they have begun.
 *
 * @throws ERR_RUN_DIRECTORY for a directory that is neither, or whose files are damaged; ERR_FILE
 */
export async function readRuns(directories: readonly string[]): Promise<RunFiles[]> {
  const runs: RunFiles[] = [];
  for (const path of directories) {
    const begun = await readBegunRuns(path);
    if (begun.length === 0 && !(await new MatrixDirectory(path).holdsMatrix())) {
      const what = `${resolve(path)} holds no run and no trace. Give directories of run, run --config or trace.`;
      throw new LyaplockError("ERR_RUN_DIRECTORY", what);
    }
    runs.push(...begun);
  }
  return runs;
}

/** The run of a directory, or those of a matrix; none before they have begun. */
export async function readBegunRuns(path: string): Promise<RunFiles[]> {
  const matrix = new MatrixDirectory(path);
  const paths = (await matrix.holdsMatrix()) ? (await matrix.read()).runs.map(({ name }) => matrix.run(name)) : [path];
  const runs: RunFiles[] = [];
  for (const run of paths) if (await isBegun(run)) runs.push(await readRun(run));
  return runs;
}

/** Texts that a run has kept. */
export interface CaseStudy {
  run: RunFiles;
  examples: readonly Example[];
}

export function readCaseStudies(runs: readonly RunFiles[]): Promise<CaseStudy[]> {
  return Promise.all(runs.map(async (run) => ({ run, examples: await readCaseStudy(run) })));
}

/**
 * Texts that the run kept: of its case study, or else of its examples, which are shorter and fewer. None while it has not come
 * to them.
 */
async function readCaseStudy({ directory }: RunFiles): Promise<Example[]> {
  const { caseStudy, examples } = new RunDirectory(directory);
  for (const path of [caseStudy, examples]) if (await exists(path)) return readExamples(path);
  return [];
}

async function readRun(path: string): Promise<RunFiles> {
  const directory = new RunDirectory(path);
  const finished = (await directory.state()) === "finished";
  return {
    name: basename(directory.path),
    directory: directory.path,
    record: await readRunRecord(directory.record),
    batches: await readAllJsonLines<BatchLine>(directory.batches),
    evaluations: await readEvaluations(directory.evaluations),
    summary: finished ? ((await readJsonFile(directory.summary, "ERR_RUN_DIRECTORY")) as Summary) : null,
  };
}

async function isBegun(path: string): Promise<boolean> {
  return ["interrupted", "finished"].includes(await new RunDirectory(path).state());
}
