import { type ErrorCode, LyaplockError } from "../errors.js";

/** The codes of native/base/error.h. */
const NATIVE_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "ERR_ABORTED",
  "ERR_DEVICE",
  "ERR_DEVICE_MEMORY",
  "ERR_FILE",
  "ERR_ILL_CONDITIONED",
  "ERR_INTERNAL",
  "ERR_INVALID_ARGUMENT",
  "ERR_MODEL_FORMAT",
  "ERR_NOT_FINITE",
  "ERR_NOT_POSITIVE_DEFINITE",
  "ERR_NOT_SYMMETRIC",
  "ERR_OUT_OF_MEMORY",
  "ERR_SHAPE",
]);

/** What the addon throws, as the error this library promises; whatever else was thrown is a bug and says so. */
export function fromNative(error: unknown): LyaplockError {
  if (error instanceof LyaplockError) return error;
  const { code, message } = error as Error & { code?: string };
  if (code !== undefined && NATIVE_CODES.has(code))
    return new LyaplockError(code as ErrorCode, message, { cause: error });
  return new LyaplockError("ERR_INTERNAL", `unexpected: ${message ?? String(error)}`, { cause: error });
}
