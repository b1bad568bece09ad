import { addon, call, useDevice } from "../native/index.js";
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

/** Obeys --device, --threads, --matmul and --solve, before anything is computed. */
export async function configure({ device, threads, matmul, solve }: CommonOptions): Promise<void> {
  useDevice(device);
  if (threads !== undefined) addon().setThreads(threads);
  if (matmul !== undefined || solve !== undefined)
    await call(() => addon().setGpuArithmetic(matmul ?? "f32", solve ?? "f64"));
}

/** Prints a result in the form that was asked for. */
export function printResult(runtime: Runtime, { json }: CommonOptions, result: unknown, text: () => string): void {
  runtime.print(json ? `${JSON.stringify(result, null, 2)}\n` : `${text()}\n`);
}
