import { LyaplockError } from "../errors.js";
import { addon } from "../native/index.js";
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

/** Obeys --device and --threads, before anything is computed. */
export function configure({ device, threads }: CommonOptions): void {
  if (device === "cuda") {
    throw new LyaplockError(
      "ERR_UNSUPPORTED",
      "This build has no CUDA in it: only the CPU addon was compiled. Use --device cpu or --device auto.",
    );
  }
  if (threads !== undefined) addon().setThreads(threads);
}

/** Prints a result in the form that was asked for. */
export function printResult(runtime: Runtime, { json }: CommonOptions, result: unknown, text: () => string): void {
  runtime.print(json ? `${JSON.stringify(result, null, 2)}\n` : `${text()}\n`);
}
