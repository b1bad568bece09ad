import { EngineLayer } from "./engine-layer.js";
import { layerByLayer } from "./layer-by-layer.js";
import type { EditingMethod } from "./method.js";
import { ConstantWeight } from "./weighing.js";

/**
 * EMMET: as MEMIT, but every residual of the batch is met exactly, ΔW = R (Kᵀ C⁻¹ K)⁻¹ Kᵀ C⁻¹, whatever it does to the rest. It
 * has no λ. Facts of one batch whose keys coincide (one subject twice, say) cannot all be met: ERR_NOT_POSITIVE_DEFINITE.
 *
 * @see "A Unified Framework for Model Editing", section 4
 */
export function emmet(): EditingMethod {
  return layerByLayer({
    name: "emmet",
    options: {},
    forLayer: async (context) => EngineLayer.create(context, await context.keySpace(), "none", new ConstantWeight(0)),
  });
}
