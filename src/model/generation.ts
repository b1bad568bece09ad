import type { NativeGeneration, NativeModel } from "../native/addon.js";
import { call } from "../native/index.js";
import { packTokens } from "./token-batch.js";

export interface GenerationOptions {
  /** Tokens of each text, its prompt included. A prompt that has as many stays as it is. */
  maxLength: number;
  /** Draw among so many most probable tokens, in proportion to their probabilities; 1 takes the most probable. Default 5. */
  topK?: number | undefined;
  /** Prompt i draws from a stream of its own made from (seed, i). Default 42. */
  seed?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** A part of the text that continues a prompt. */
export interface GeneratedText {
  /** Index of the prompt. */
  prompt: number;
  text: string;
}

/** A token that continues a sequence, by the sequence's index. */
export interface DrawnToken {
  sequence: number;
  token: number;
}

/**
 * Draws tokens step by step: every step has one for each sequence that is shorter than maxLength. Leaving the loop frees what
 * the generation holds.
 *
 * @throws ERR_ABORTED, ERR_NOT_FINITE for damaged weights
 */
export async function* drawTokens(
  model: NativeModel,
  sequences: readonly (readonly number[])[],
  { maxLength, topK = 5, seed = 42, signal }: GenerationOptions,
): AsyncGenerator<DrawnToken[]> {
  if (sequences.length === 0) return;
  const lengths = new Int32Array(sequences.length).fill(maxLength);
  const generation = await call(() => model.beginGeneration(packTokens(sequences), { lengths, topK, seed }), signal);
  try {
    yield* drawAll(generation, signal);
  } finally {
    generation.dispose();
  }
}

/** Step by step, until every sequence has its length. */
export async function* drawAll(generation: NativeGeneration, signal?: AbortSignal): AsyncGenerator<DrawnToken[]> {
  while (true) {
    const drawn = await call((cancellation) => generation.step(cancellation), signal);
    if (drawn.tokens.length === 0) return;
    yield Array.from(drawn.tokens, (token, i) => ({ sequence: drawn.sequences[i]!, token }));
  }
}
