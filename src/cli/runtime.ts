import { addon, useDevice } from "../native/index.js";
import type { CommonOptions } from "./options.js";
import type { ProgressDisplay } from "./progress.js";

/** What a command needs from the process it runs in. */
export interface Runtime {
  progress: ProgressDisplay;
  /** Fires at the first Ctrl-C. */
  signal: AbortSignal;
  /** Writes a result, or a part of one, to stdout. */
  print(text: string): void;
  /** Called when the work was stopped on request: says how to go on. */
  onStopped?: () => Promise<string>;
}

/** Obeys --device, --threads and --matmul, before anything is computed. */
export function configure({ device, threads, matmul }: CommonOptions): void {
  useDevice(device);
  if (threads !== undefined) addon().setThreads(threads);
  if (matmul !== undefined) addon().setProducts(matmul);
}

/** Prints a result in the form that was asked for. */
export function printResult(runtime: Runtime, { json }: CommonOptions, result: unknown, text: () => string): void {
  runtime.print(json ? `${JSON.stringify(result, null, 2)}\n` : `${text()}\n`);
}
