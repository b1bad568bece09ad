import { type RunFiles, readRuns } from "./run-files.js";
import { readTrace, TraceDirectory, type TraceFiles } from "./trace-files.js";

/** What a report can be made of. */
export interface Results {
  runs: RunFiles[];
  traces: TraceFiles[];
}

/**
 * Reads runs and traces: of run directories, of all those of the directories that `runMatrix` filled, and of what `traceModel`
 * wrote.
 *
 * @throws ERR_RUN_DIRECTORY for a directory that is none of them, or whose files are damaged; ERR_FILE
 */
export async function readResults(directories: readonly string[]): Promise<Results> {
  const traces: TraceFiles[] = [];
  const others: string[] = [];
  for (const path of directories) {
    if (await new TraceDirectory(path).holdsTrace()) traces.push(await readTrace(path));
    else others.push(path);
  }
  return { runs: await readRuns(others), traces };
}
