import { LyaplockError } from "../errors.js";
import type { TokenBatch } from "../native/addon.js";

/**
 * Sequences one after the other, as native code takes them.
 *
 * @throws ERR_INVALID_ARGUMENT for an empty sequence: it has no position to compute anything at.
 */
export function packTokens(sequences: readonly (readonly number[])[]): TokenBatch {
  const offsets = new Int32Array(sequences.length + 1);
  sequences.forEach((sequence, i) => {
    if (sequence.length === 0) throw new LyaplockError("ERR_INVALID_ARGUMENT", `sequence ${i} has no tokens`);
    offsets[i + 1] = offsets[i]! + sequence.length;
  });
  const tokens = new Int32Array(offsets[sequences.length]!);
  sequences.forEach((sequence, i) => {
    tokens.set(sequence, offsets[i]!);
  });
  return { tokens, offsets };
}
