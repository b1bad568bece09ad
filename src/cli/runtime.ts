import { addon, call, type Device, useDevice } from "../native/index.js";
import { isPlannedDevice, type PlannedDeviceName } from "../run/index.js";
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

/** Of any command. */
export type ConfigurationOptions = Omit<CommonOptions, "device"> & { device: Device | PlannedDeviceName };

/** Obeys --device, --threads, --matmul and --solve, before anything is computed. A GPU that is planned for need not be here. */
export async function configure({ device, threads, matmul, solve }: ConfigurationOptions): Promise<void> {
  const isElsewhere = isPlannedDevice(device);
  useDevice(isElsewhere ? "auto" : device);
  if (threads !== undefined) addon().setThreads(threads);
  if (!isElsewhere && (matmul !== undefined || solve !== undefined))
    await call(() => addon().setGpuArithmetic(matmul ?? "f32", solve ?? "f64"));
}

/** Prints a result in the form that was asked for. */
export function printResult(
  runtime: Runtime,
  { json }: Pick<CommonOptions, "json">,
  result: unknown,
  text: () => string,
): void {
  runtime.print(json ? `${JSON.stringify(result, null, 2)}\n` : `${text()}\n`);
}
