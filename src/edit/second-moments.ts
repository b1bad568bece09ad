import { Turns } from "../base/yielding.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { packTokens } from "../model/token-batch.js";
import type { NativeMatrix } from "../native/addon.js";
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

export interface CollectOptions {
  layers: readonly number[];
  onProgress?(progress: { tokens: number; texts: number }): void;
  signal?: AbortSignal | undefined;
}

/** Tokens of one forward pass: enough for full-speed matrix products, little enough for memory. */
const TOKENS_AT_ONCE = 2048;

/**
 * Second moments of the down-projection's inputs over all tokens of the texts, in float64 and one pass (reference,
 * section 5). A text longer than the model's positions is cut there; empty ones are skipped.
 *
 * @throws ERR_INVALID_ARGUMENT when no text has a token.
 */
export async function collectSecondMoments(
  model: LanguageModel,
  texts: Iterable<string> | AsyncIterable<string>,
  { layers, onProgress, signal }: CollectOptions,
): Promise<SecondMoments> {
  checkLayers(layers);
  const width = model.config.feedForwardWidth;
  const sums = await Promise.all(layers.map(() => call(() => addon().createSecondMoment(width, "float64"))));
  const progress = { tokens: 0, texts: 0 };
  const turns = new Turns(signal);
  let waiting: number[][] = [];
  const flush = async () => {
    if (waiting.length === 0) return;
    const batch = packTokens(waiting);
    progress.texts += waiting.length;
    progress.tokens += batch.tokens.length;
    waiting = [];
    await call((cancellation) => model.native.accumulateMoments(batch, [...layers], sums, cancellation), signal);
    onProgress?.({ ...progress });
  };

  try {
    let tokens = 0;
    for await (const text of texts) {
      await turns.next();
      const ids = model.tokenizer.encode(text).slice(0, model.config.positions);
      if (ids.length === 0) continue;
      if (tokens + ids.length > TOKENS_AT_ONCE) {
        await flush();
        tokens = 0;
      }
      waiting.push(ids);
      tokens += ids.length;
    }
    await flush();
    if (progress.tokens === 0) {
      throw new LyaplockError("ERR_INVALID_ARGUMENT", "second moments need text, and there was not a token of it");
    }
    const moments = new Map<number, SecondMoment>();
    for (const [i, layer] of layers.entries()) {
      moments.set(layer, { covariance: await call(() => sums[i]!.mean()), count: sums[i]!.count });
    }
    return SecondMoments.fromMatrices(moments);
  } finally {
    for (const sum of sums) sum.dispose();
  }
}
