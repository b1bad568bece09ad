import { Turns } from "../base/yielding.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { packTokens } from "../model/token-batch.js";
import type { MomentPrecision, NativeMatrix, NativeSecondMoment, TokenBatch } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { checkLayers } from "./hyperparameters.js";

/** The second moment of one layer: C = mean of k kᵀ over `count` tokens, [d, d] float64. */
export interface SecondMoment {
  covariance: NativeMatrix;
  count: number;
  /** Reads the Cholesky factor L of C, [d, d], where it was kept; the caller disposes of it. */
  factor?(): Promise<NativeMatrix>;
}

/** What a model's layers look at on ordinary text: C for each edited layer. */
export class SecondMoments {
  private constructor(private readonly byLayer: ReadonlyMap<number, SecondMoment>) {}

  static fromMatrices(moments: ReadonlyMap<number, SecondMoment>): SecondMoments {
    return new SecondMoments(new Map([...moments].sort(([a], [b]) => a - b)));
  }

  /** Rising. */
  get layers(): number[] {
    return [...this.byLayer.keys()];
  }

  /** @throws ERR_INVALID_ARGUMENT when the layer has none. */
  get(layer: number): SecondMoment {
    const moment = this.byLayer.get(layer);
    if (moment !== undefined) return moment;
    const there = this.layers.join(", ") || "none";
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `there is no second moment of layer ${layer}; there are ${there}`);
  }

  dispose(): void {
    for (const { covariance } of this.byLayer.values()) covariance.dispose();
  }
}

/** What of the texts is used, and how; all of it is in the key of the cache. */
export interface CollectedFrom {
  layers: readonly number[];
  /** Tokens of a text that are used, those after them are not; by default as many as the model has positions. */
  maxLength?: number | undefined;
  /** Tokens after which no more are used; by default all. */
  tokens?: number | undefined;
  /** "float64" by default; "float32" forms products of keys in float32 (see `MomentAccumulator`). */
  precision?: MomentPrecision | undefined;
}

/** How far a collection is: what it has used of the texts, and a sum for each layer. */
export interface CollectionState {
  texts: number;
  tokens: number;
  sums: NativeSecondMoment[];
}

/** Keeps a collection while it is under way, so that another one can go on from there. */
export interface CollectionStore {
  /** Where an interrupted one was, or undefined to begin. The sums are the caller's. */
  load(): Promise<CollectionState | undefined>;
  /** Called after every forward pass; the store decides when it is worth the time. */
  keep(state: CollectionState): Promise<void>;
}

export interface CollectOptions extends CollectedFrom {
  onProgress?(progress: { tokens: number; texts: number }): void;
  store?: CollectionStore | undefined;
  signal?: AbortSignal | undefined;
}

/** Tokens of one forward pass: enough for full-speed matrix products, little enough for memory. */
const TOKENS_AT_ONCE = 2048;

type Texts = Iterable<string> | AsyncIterable<string>;

/**
 * Second moments of the down-projection's inputs over all tokens of the texts, of all layers in one pass (reference, section
 * 5). Empty texts are skipped. A collection that goes on from its store ends with the bits of one that was never
 * interrupted.
 *
 * @throws ERR_INVALID_ARGUMENT when no text has a token.
 */
export async function collectSecondMoments(
  model: LanguageModel,
  texts: Texts,
  { onProgress, store, signal, ...from }: CollectOptions,
): Promise<SecondMoments> {
  const layers = [...from.layers];
  checkCollection(model, from);
  const state = (await store?.load()) ?? (await beginning(model, from));
  try {
    for await (const { batch, read } of tokenBatches(model, texts, from, state, signal)) {
      await call((cancellation) => model.native.accumulateMoments(batch, layers, state.sums, cancellation), signal);
      state.texts = read;
      state.tokens += batch.tokens.length;
      onProgress?.({ tokens: state.tokens, texts: state.texts });
      await store?.keep(state);
    }
    if (state.tokens === 0) {
      throw new LyaplockError("ERR_INVALID_ARGUMENT", "second moments need text, and there was not a token of it");
    }
    const moments = new Map<number, SecondMoment>();
    for (const [i, layer] of layers.entries()) {
      const sum = state.sums[i]!;
      moments.set(layer, { covariance: await call(() => sum.mean()), count: sum.count });
      sum.dispose(); // before the next mean is made: either is as wide as the layer, squared
    }
    return SecondMoments.fromMatrices(moments);
  } finally {
    for (const sum of state.sums) sum.dispose();
  }
}

/** @throws ERR_INVALID_ARGUMENT for a request that no collection of this model can fulfil */
export function checkCollection(model: LanguageModel, { layers, maxLength = 1, tokens = 1 }: CollectedFrom): void {
  checkLayers(layers);
  const { positions } = model.config;
  if (!Number.isSafeInteger(maxLength) || maxLength < 1 || maxLength > positions) {
    const what = `the longest text must be 1 to ${positions} tokens, the positions of ${model.name}; received ${maxLength}`;
    throw new LyaplockError("ERR_INVALID_ARGUMENT", what);
  }
  if (!Number.isSafeInteger(tokens) || tokens < 1) {
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `the number of tokens must be 1 or more; received ${tokens}`);
  }
}

async function beginning(
  model: LanguageModel,
  { layers, precision = "float64" }: CollectedFrom,
): Promise<CollectionState> {
  const width = model.config.feedForwardWidth;
  const sums = await Promise.all(layers.map(() => call(() => addon().createSecondMoment(width, precision))));
  return { texts: 0, tokens: 0, sums };
}

/** How many texts and tokens a collection would use: encoding takes little of the time that the model would. */
export async function countTokens(
  model: LanguageModel,
  texts: Texts,
  from: Omit<CollectedFrom, "layers">,
  signal?: AbortSignal,
): Promise<{ texts: number; tokens: number }> {
  const counted = { texts: 0, tokens: 0 };
  for await (const { ids } of encodedTexts(model, texts, from, { texts: 0, tokens: 0 }, signal)) {
    counted.texts++;
    counted.tokens += ids.length;
  }
  return counted;
}

/** Bytes that the sums of a collection take while it is under way: of each layer Σ k kᵀ and a block of keys. */
export function bytesOfSums(model: LanguageModel, { layers, precision = "float64" }: CollectedFrom): number {
  const d = model.config.feedForwardWidth;
  const block = precision === "float64" ? 8 * 1024 * d : 4 * 4096 * d + 4 * d * d;
  return layers.length * (8 * d * d + block);
}

/** Batches of whole texts; `read` counts the texts up to their ends, blank ones too. */
async function* tokenBatches(
  model: LanguageModel,
  texts: Texts,
  from: Omit<CollectedFrom, "layers">,
  done: { texts: number; tokens: number },
  signal?: AbortSignal,
): AsyncGenerator<{ batch: TokenBatch; read: number }> {
  let waiting: number[][] = [];
  let tokens = 0;
  let read = done.texts;
  for await (const { ids, text } of encodedTexts(model, texts, from, done, signal)) {
    if (waiting.length > 0 && tokens + ids.length > TOKENS_AT_ONCE) {
      yield { batch: packTokens(waiting), read };
      waiting = [];
      tokens = 0;
    }
    waiting.push(ids);
    tokens += ids.length;
    read = text;
  }
  if (waiting.length > 0) yield { batch: packTokens(waiting), read };
}

/** Token ids of the texts that have any, after those that are done; `text` is the number of the text, from 1. */
async function* encodedTexts(
  model: LanguageModel,
  texts: Texts,
  { maxLength = model.config.positions, tokens = Number.POSITIVE_INFINITY }: Omit<CollectedFrom, "layers">,
  done: { texts: number; tokens: number },
  signal?: AbortSignal,
): AsyncGenerator<{ ids: number[]; text: number }> {
  const turns = new Turns(signal);
  const { texts: past } = done;
  let left = tokens - done.tokens;
  let text = 0;
  for await (const content of texts) {
    if (left <= 0) return;
    await turns.next();
    text++;
    if (text <= past) continue;
    const ids = model.tokenizer.encode(content).slice(0, Math.min(maxLength, left));
    if (ids.length === 0) continue;
    left -= ids.length;
    yield { ids, text };
  }
}
