import { mkdir } from "node:fs/promises";
import { fileError } from "../base/file-error.js";
import { Lock } from "../base/lock.js";
import {
  bytesOfSums,
  type CollectedFrom,
  checkCollection,
  collectSecondMoments,
  countTokens,
  type SecondMoment,
  SecondMoments,
} from "../edit/second-moments.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { MomentEntry, type OnDamaged } from "./second-moments-entry.js";
import { MomentsPlace, momentsDirectory } from "./second-moments-place.js";
import { UnfinishedCollection } from "./second-moments-unfinished.js";
import { readTexts } from "./texts.js";

/** What a collection will use and take. */
export interface CollectionEstimate {
  layers: readonly number[];
  texts: number;
  tokens: number;
  /** Memory of the sums, beside the model. */
  bytes: number;
}

export interface CachedMomentsOptions extends CollectedFrom {
  /** Before the first forward pass; not called when everything was in the cache. */
  onBegin?(estimate: CollectionEstimate): void;
  /** After it, when an interrupted collection goes on. */
  onResumed?(done: { texts: number; tokens: number }): void;
  onProgress?(progress: { tokens: number; texts: number }): void;
  /** Told of an entry that was set aside because it cannot be trusted; it is computed again. */
  onDamaged?: OnDamaged;
  /** Told, in a sentence, that another process collects the same and is waited for. */
  onWait?(who: string): void;
  /** Seconds of work that an interruption may cost; 60 by default. */
  keepEverySeconds?: number;
  signal?: AbortSignal | undefined;
}

/**
 * Second moments of a model over the texts of some files: from the cache where they have been computed before. An entry
 * belongs to the content of model and texts, and to how they were used; not to the model's name (Q21).
 *
 * Of processes that want the same one collects, and the others wait for it. A collection that was interrupted goes on.
 *
 * @throws as `collectSecondMoments` and `readTexts`; ERR_FILE when the cache cannot be written.
 */
export async function cachedSecondMoments(
  model: LanguageModel,
  textFiles: readonly string[],
  options: CachedMomentsOptions,
): Promise<SecondMoments> {
  checkCollection(model, options);
  const { onDamaged, onWait, signal } = options;
  const width = model.config.feedForwardWidth;
  const place = await MomentsPlace.of(model, textFiles, options);
  const entries = options.layers.map((layer) => new MomentEntry(place.entry(layer)));
  const moments = new Map<number, SecondMoment>();
  const read = async (from: (entry: MomentEntry) => Promise<SecondMoment | undefined>) => {
    for (const entry of entries) {
      const moment = moments.has(entry.layer) ? undefined : await from(entry);
      if (moment !== undefined) moments.set(entry.layer, moment);
    }
    return entries.filter(({ layer }) => !moments.has(layer));
  };
  try {
    if ((await read((entry) => entry.readIfWhole(width))).length > 0) {
      await makeDirectory();
      const lock = await Lock.acquireWhenFree(place.lock, { onWait, signal });
      try {
        // Whoever held the lock may have made them.
        const missing = await read((entry) => entry.readOrSetAside(width, onDamaged));
        if (missing.length > 0) await collectInto(place, missing, model, textFiles, options);
        const unreadable = await read((entry) => entry.readOrSetAside(width, onDamaged));
        if (unreadable.length > 0) {
          const what = `the second moments in ${momentsDirectory()} are not what was written just now; is the disk sound?`;
          throw new LyaplockError("ERR_FILE", what);
        }
      } finally {
        await lock.release();
      }
    }
    return SecondMoments.fromMatrices(moments);
  } catch (error) {
    for (const { covariance } of moments.values()) covariance.dispose();
    throw error;
  }
}

/** Collects what is missing, and makes entries of it. */
async function collectInto(
  place: MomentsPlace,
  missing: readonly MomentEntry[],
  model: LanguageModel,
  textFiles: readonly string[],
  options: CachedMomentsOptions,
): Promise<void> {
  const { precision = "float64", maxLength = model.config.positions, keepEverySeconds = 60, onDamaged } = options;
  const layers = missing.map(({ layer }) => layer);
  const from: CollectedFrom = { layers, precision, maxLength, tokens: options.tokens };
  const texts = () => readAllTexts(textFiles, options.signal);
  const counted = await countTokens(model, texts(), from, options.signal);
  options.onBegin?.({ layers, ...counted, bytes: bytesOfSums(model, from) });
  const store = new UnfinishedCollection(place.unfinished(layers), layers, {
    width: model.config.feedForwardWidth,
    precision,
    everySeconds: keepEverySeconds,
    onResumed: (done) => options.onResumed?.(done),
    onDamaged,
  });
  const { onProgress, signal } = options;
  const collected = await collectSecondMoments(model, texts(), { ...from, store, onProgress, signal });
  try {
    const made = { model: model.name, precision, maxLength };
    for (const entry of missing) await entry.write(collected.get(entry.layer), made);
    await store.remove();
  } finally {
    collected.dispose();
  }
}

async function makeDirectory(): Promise<void> {
  const directory = momentsDirectory();
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw fileError("make the directory", directory, error);
  }
}

async function* readAllTexts(files: readonly string[], signal?: AbortSignal): AsyncGenerator<string> {
  for (const file of files) yield* readTexts(file, { signal });
}
