/** Every code a `LyaplockError` can carry. Codes are stable; messages are for people and may change. */
export type ErrorCode =
  | "ERR_ABORTED"
  | "ERR_ADDON"
  | "ERR_COLLAPSE"
  | "ERR_CONFLICTING_FACTS"
  | "ERR_DATASET_FORMAT"
  | "ERR_DELTA"
  | "ERR_DEVICE"
  | "ERR_DEVICE_MEMORY"
  | "ERR_EMPTY_TARGET"
  | "ERR_FACT"
  | "ERR_FILE"
  | "ERR_HUB"
  | "ERR_ILL_CONDITIONED"
  | "ERR_INTERNAL"
  | "ERR_INVALID_ARGUMENT"
  | "ERR_MODEL_FORMAT"
  | "ERR_NETWORK"
  | "ERR_NOT_FINITE"
  | "ERR_NOT_POSITIVE_DEFINITE"
  | "ERR_NOT_SYMMETRIC"
  | "ERR_OUT_OF_MEMORY"
  | "ERR_RUN_DIRECTORY"
  | "ERR_SHAPE"
  | "ERR_SUBJECT_NOT_IN_PROMPT"
  | "ERR_TOKENIZER"
  | "ERR_TOO_LONG"
  | "ERR_UNKNOWN_ARCHITECTURE"
  | "ERR_UNSUPPORTED";

/**
 * The one error this library rejects with. Its message says what was wrong, where, and what to do.
 *
 * @example
 * try { await loadModel("models/mine"); } catch (error) {
 *   if (error instanceof LyaplockError && error.code === "ERR_UNKNOWN_ARCHITECTURE") …
 * }
 */
export class LyaplockError extends Error {
  override readonly name = "LyaplockError";

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
