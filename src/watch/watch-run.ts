import { followScript } from "../report/page/follow.js";
import { reportPage } from "../report/page/page.js";
import { type FinishedBatch, type RunEvents, readBegunRuns, readCaseStudies } from "../run/index.js";
import { PageServer } from "./page-server.js";

export interface WatchOptions {
  /** Of the run, or of a matrix of runs. */
  directory: string;
  /** 0 for one that is free. */
  port: number;
  events: RunEvents;
  signal?: AbortSignal | undefined;
}

/**
 * Runs, and serves the page that `lyaplock report --html` writes of it meanwhile. When the run ends, well or not, those who follow
 * get the last page, and the server closes; when its signal fires, it closes at once.
 *
 * @throws ERR_INVALID_ARGUMENT where the port cannot be had; whatever the run throws
 */
export async function watchRun<T>(
  { directory, port, events, signal }: WatchOptions,
  run: (events: RunEvents) => Promise<T>,
): Promise<T> {
  const server = await PageServer.start(port, async () => {
    const runs = await readBegunRuns(directory);
    return reportPage({ runs, caseStudies: await readCaseStudies(runs) }, followScript);
  });
  const stop = () => server.stop();
  signal?.addEventListener("abort", stop);
  let stage: string | undefined;
  try {
    events.onNote?.(`Watch the run at ${server.address} until it ends.`);
    return await run({
      onProgress: (progress) => {
        events.onProgress?.(progress);
        if (progress.stage !== stage) server.announce("stage", progress.stage);
        stage = progress.stage;
      },
      onNote: (text) => events.onNote?.(text),
      onEvaluation: (line) => {
        events.onEvaluation?.(line);
        server.announce("evaluation", line.kind);
      },
      onBatch: (batch: FinishedBatch) => {
        events.onBatch?.(batch);
        server.announce("batch", String(batch.batch));
      },
    });
  } finally {
    signal?.removeEventListener("abort", stop);
    if (!signal?.aborted) await server.close();
  }
}
