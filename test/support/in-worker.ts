import { Worker } from "node:worker_threads";

/** The compiled engine: workers and child processes load no TypeScript. */
export const ENGINE = new URL("../../dist/engine.js", import.meta.url).href;

/** Runs `body` in a worker that has the engine; its result is the first thing that it posts. */
export function inWorker(body: string): { worker: Worker; result: Promise<unknown> } {
  const source = `
    import { parentPort } from "node:worker_threads";
    import { KeySpace, LayerEditor, Matrix, MomentAccumulator } from ${JSON.stringify(ENGINE)};
    ${body}
  `;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
  const result = new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  return { worker, result };
}
