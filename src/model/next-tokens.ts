import { LyaplockError } from "../errors.js";

/** A candidate for the next token. */
export interface NextToken {
  token: number;
  text: string;
  probability: number;
}

/**
 * The `top` most probable tokens of logits [vocabulary], most probable first, equal ones by id.
 *
 * @throws ERR_NOT_FINITE when the logits make no distribution
 */
export function mostProbable(logits: Float32Array, top: number, textOf: (token: number) => string): NextToken[] {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
  if (!Number.isFinite(total)) {
    throw new LyaplockError("ERR_NOT_FINITE", "the model's logits hold NaN or infinity; its weights may be damaged");
  }
  return largestIndices(logits, top).map((token) => ({
    token,
    text: textOf(token),
    probability: Math.exp(logits[token]! - largest) / total,
  }));
}

/** Indices of the largest values, in one pass: sorting a vocabulary of 128,000 would hold the event loop. */
function largestIndices(values: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (best.length === count && !(values[i]! > values[best[count - 1]!]!)) continue;
    let place = best.length;
    while (place > 0 && values[i]! > values[best[place - 1]!]!) place--;
    best.splice(place, 0, i);
    if (best.length > count) best.pop();
  }
  return best;
}
