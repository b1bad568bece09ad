import type { AveragedTrace, RoleEffects } from "./average.js";

/** As many layers as published hyperparameters edit in GPT2-XL and LLaMA-3. */
const MOST_LAYERS = 5;
const SHARE_OF_PEAK = 0.5;

/** Layers to edit, and what speaks for them. */
export interface LayerSuggestion {
  /** Contiguous, rising. */
  layers: number[];
  /** The layer of the largest effect, and that effect with its band. */
  peak: { layer: number; mean: number; band: number };
  /** Average indirect effect of the MLP at the subject's last token, by layer, and of how many tokens. */
  effects: RoleEffects;
}

/**
 * The layers whose MLP brings the answer back at the subject's last token: the span around the peak of the averaged effect.
 *
 * It begins as the layer of the largest effect and takes in the neighbour of the larger effect, one after the other, as long
 * as that is half of the peak or more, up to five layers or half of the model's. The last layer is left out: an edit needs
 * one above it that reads what it wrote.
 *
 * Undefined where there is no evidence: without MLP effects of two tokens or more, or where zero is within the peak's band.
 */
export function suggestLayers({ kinds }: AveragedTrace): LayerSuggestion | undefined {
  const effects = kinds.mlp?.lastSubject;
  if (effects?.band === undefined || effects.band === null) return undefined;
  const candidates = effects.mean.slice(0, -1);
  if (candidates.length === 0) return undefined;
  const most = Math.max(...candidates);
  const layer = candidates.indexOf(most);
  const peak = { layer, mean: most, band: effects.band[layer]! };
  if (!(peak.mean - peak.band > 0)) return undefined;

  let [first, last] = [layer, layer];
  const limit = Math.min(MOST_LAYERS, Math.max(1, Math.floor(effects.mean.length / 2)));
  while (last - first + 1 < limit) {
    const [below, above] = [candidates[first - 1] ?? -Infinity, candidates[last + 1] ?? -Infinity];
    if (Math.max(below, above) < SHARE_OF_PEAK * most) break;
    if (below >= above) first--;
    else last++;
  }
  return { layers: Array.from({ length: last - first + 1 }, (_, i) => first + i), peak, effects };
}
