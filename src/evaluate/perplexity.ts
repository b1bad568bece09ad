import { Turns } from "../base/yielding.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { call } from "../native/index.js";
import { QueryList } from "./queries.js";

export interface PerplexityOptions {
  /** Tokens of the text that are read, from its first. Default: all. */
  tokens?: number | undefined;
  /** Tokens that are read together; none is predicted from an earlier window. Default 512, or the model's positions. */
  window?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface Perplexity {
  /** exp of the mean of -log p over the predicted tokens. */
  perplexity: number;
  /** Tokens that were predicted: all but the first of each window. */
  predicted: number;
  window: number;
}

/** Windows at a time, so that a long text neither takes the memory of its length nor the event loop. */
const WINDOWS_AT_ONCE = 8;

/**
 * How well a model foretells a text: each token from those before it in the same window.
 *
 * @throws ERR_INVALID_ARGUMENT for a window the model has no positions for, or a text of one token; ERR_NOT_FINITE, ERR_ABORTED
 */
export async function perplexity(
  model: LanguageModel,
  text: string,
  { tokens: limit, window = Math.min(512, model.config.positions), signal }: PerplexityOptions = {},
): Promise<Perplexity> {
  if (!Number.isInteger(window) || window < 2 || window > model.config.positions) {
    const what = `a window of ${window} tokens: it must be 2 to the model's ${model.config.positions} positions`;
    throw new LyaplockError("ERR_INVALID_ARGUMENT", what);
  }
  const tokens = model.tokenizer.encode(text).slice(0, limit);
  const windows: number[][] = [];
  for (let begin = 0; begin + 1 < tokens.length; begin += window) windows.push(tokens.slice(begin, begin + window));
  if (windows.length === 0) throw new LyaplockError("ERR_INVALID_ARGUMENT", "a text of one token foretells nothing");

  const turns = new Turns(signal);
  let [sum, predicted] = [0, 0];
  for (let first = 0; first < windows.length; first += WINDOWS_AT_ONCE) {
    await turns.next();
    const losses = await lossesOf(model, windows.slice(first, first + WINDOWS_AT_ONCE), signal);
    sum += losses.reduce((total, loss) => total + loss, 0);
    predicted += losses.length;
  }
  if (!Number.isFinite(sum)) {
    throw new LyaplockError("ERR_NOT_FINITE", "the model's losses are no numbers; its weights are damaged");
  }
  return { perplexity: Math.exp(sum / predicted), predicted, window };
}

/** -log p of every token of each window but its first. */
async function lossesOf(model: LanguageModel, windows: number[][], signal?: AbortSignal): Promise<Float32Array> {
  const queries = new QueryList();
  for (const [first, ...rest] of windows) queries.add([first!], rest);
  const { batch, rows, targets } = queries.pack();
  const { losses } = await call((cancellation) => model.native.score(batch, rows, targets, cancellation), signal);
  return losses;
}
