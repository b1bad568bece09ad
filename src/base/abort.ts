import { LyaplockError } from "../errors.js";

/** @throws ERR_ABORTED, once the signal has fired; its reason is the cause. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LyaplockError("ERR_ABORTED", "stopped by its signal", { cause: signal.reason });
}
