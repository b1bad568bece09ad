import { resolve } from "node:path";
import { cacheDirectory, writeSecondMoments } from "../data/index.js";
import { loadModel } from "../model/load.js";
import { chooseHyperparameters, chooseSecondMoments } from "./editing-inputs.js";
import type { RunEvents } from "./events.js";

export interface MomentsOptions {
  model: string;
  /** Text files; a built-in model has its own. */
  text?: string[];
  /** Layers; those that would be edited if left out. */
  layers?: number[];
  /** Also write them here, as layer-<i>.safetensors. */
  directory?: string;
}

/** Collects second moments into the cache, where every later edit of the model finds them. */
export async function collectMoments(
  { model: source, text, layers, directory }: MomentsOptions,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<{ model: string; layers: { layer: number; tokens: number }[]; directory: string }> {
  const model = await loadModel(source, { signal });
  try {
    const sources = {
      text: text ?? null,
      layers: layers ?? null,
      hparams: null,
      contextTemplates: null,
      moments: null,
      seed: 42,
    };
    const chosen = (await chooseHyperparameters(model, sources)).layers;
    const moments = await chooseSecondMoments(model, chosen, sources, events, signal);
    const place = directory === undefined ? cacheDirectory() : resolve(directory);
    if (directory !== undefined) await writeSecondMoments(place, moments, { model: await model.contentHash() });
    const counted = chosen.map((layer) => ({ layer, tokens: moments.get(layer).count }));
    moments.dispose();
    return { model: model.name, layers: counted, directory: place };
  } finally {
    model.dispose();
  }
}
