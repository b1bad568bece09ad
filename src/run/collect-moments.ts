import { resolve } from "node:path";
import { cacheDirectory } from "../base/cache-directory.js";
import { cachedSecondMoments, writeSecondMoments } from "../data/index.js";
import type { MomentPrecision } from "../native/addon.js";
import { collectionEvents } from "./collection-events.js";
import { chooseHyperparameters, textsFor } from "./editing-inputs.js";
import type { RunEvents } from "./events.js";
import { type ModelChoice, openModel } from "./open-model.js";

export interface MomentsOptions extends ModelChoice {
  /** Text files; a built-in model has its own. */
  text?: string[];
  /** Layers; those that would be edited if left out. */
  layers?: number[];
  /** Tokens of a text that are used; all that the model has positions for if left out. */
  maxLength?: number;
  /** Tokens after which to stop. */
  tokens?: number;
  precision?: MomentPrecision;
  /** Also write them here, as layer-<i>.safetensors. */
  directory?: string;
}

/** Layers, the tokens they were collected over, and where they are. */
export interface CollectedMoments {
  model: string;
  layers: { layer: number; tokens: number }[];
  directory: string;
}

/** Collects second moments into the cache, where every later edit of the model finds them. */
export async function collectMoments(
  { text, layers, maxLength, tokens, precision = "float64", directory, ...source }: MomentsOptions,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<CollectedMoments> {
  const model = await openModel(source, events, signal);
  try {
    const sources = { layers: layers ?? null, hparams: null, text: text ?? null };
    const chosen = (await chooseHyperparameters(model, sources, "lyaplock")).layers;
    const moments = await cachedSecondMoments(model, textsFor(model, sources), {
      ...{ layers: chosen, maxLength, tokens, precision, signal },
      ...collectionEvents(events),
    });
    try {
      const place = directory === undefined ? cacheDirectory() : resolve(directory);
      if (directory !== undefined) {
        const cap = String(maxLength ?? model.config.positions);
        await writeSecondMoments(place, moments, { model: await model.contentHash(), precision, maxLength: cap });
      }
      const counted = chosen.map((layer) => ({ layer, tokens: moments.get(layer).count }));
      return { model: model.name, layers: counted, directory: place };
    } finally {
      moments.dispose();
    }
  } finally {
    model.dispose();
  }
}
