import { EngineLayer } from "./engine-layer.js";
import { layerByLayer } from "./layer-by-layer.js";
import type { EditingMethod } from "./method.js";
import { ConstantWeight, checkCovarianceWeight } from "./weighing.js";

export interface MemitOptions {
  /** λ, in place of the hyperparameters' (`mom2_update_weight`). */
  covarianceWeight?: number | undefined;
}

/**
 * MEMIT: each batch adds the change that minimises its own editing error plus λ times the loss of the change,
 * ΔW = R Kᵀ (K Kᵀ + λC)⁻¹. Nothing is remembered of earlier batches, and nothing bounds the sum of the changes. Published with
 * λ = 20,000 for GPT2-XL and 15,000 for GPT-J and LLaMA-3.
 *
 * @see "Mass-Editing Memory in a Transformer", equation 14; reference, section 10.1
 */
export function memit({ covarianceWeight }: MemitOptions = {}): EditingMethod {
  checkCovarianceWeight(covarianceWeight);
  return layerByLayer({
    name: "memit",
    options: covarianceWeight === undefined ? {} : { covarianceWeight },
    forLayer: async (context) => {
      const weighing = new ConstantWeight(covarianceWeight ?? context.hyperparameters.covarianceWeight);
      return EngineLayer.create(context, await context.keySpace(), "none", weighing);
    },
  });
}
