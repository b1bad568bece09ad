import { LyaplockError } from "../errors.js";
import type { NativeAddon, NativeCancellation } from "./addon.js";
import { fromNative } from "./errors.js";
import { type Device, loadAddon, whyNoCuda } from "./load.js";

export { type Device, whyNoCuda };

let wanted: Device = "auto";
let loaded: NativeAddon | undefined;

/** The native addon, loaded at its first use. @throws ERR_ADDON */
export function addon(): NativeAddon {
  loaded ??= loadAddon(wanted);
  return loaded;
}

/**
 * Where this process computes. Before any other use.
 *
 * @throws ERR_DEVICE where a GPU is asked for and cannot be used, with what is missing; ERR_INVALID_ARGUMENT once the
 * process computes elsewhere.
 */
export function useDevice(device: Device): void {
  if (loaded !== undefined && device !== "auto" && device !== loaded.device) {
    throw new LyaplockError(
      "ERR_INVALID_ARGUMENT",
      `this process computes on ${loaded.device} already; choose the device before its first use`,
    );
  }
  wanted = device;
  if (device !== "auto") addon();
}

/**
 * Runs native work: the one place where an AbortSignal becomes a cancellation, and a native error a `LyaplockError`.
 *
 * @throws ERR_ABORTED once the signal fires, with its reason as the cause; otherwise what the work throws.
 */
export async function call<T>(
  run: (cancellation: NativeCancellation) => T | Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  if (signal?.aborted) throw aborted(signal);
  const cancellation = addon().createCancellation();
  const cancel = () => cancellation.cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await run(cancellation);
  } catch (error) {
    const failure = fromNative(error);
    throw failure.code === "ERR_ABORTED" && signal?.aborted ? aborted(signal, failure) : failure;
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

function aborted(signal: AbortSignal, failure?: LyaplockError): LyaplockError {
  return new LyaplockError("ERR_ABORTED", failure?.message ?? "The operation was aborted", { cause: signal.reason });
}
