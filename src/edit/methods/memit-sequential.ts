import { EngineLayer } from "./engine-layer.js";
import { layerByLayer } from "./layer-by-layer.js";
import type { MemitOptions } from "./memit.js";
import type { EditingMethod } from "./method.js";
import { ConstantWeight, checkCovarianceWeight } from "./weighing.js";

/**
 * MEMIT in sequence: as MEMIT, and the keys S of all earlier facts are to be disturbed as little as possible,
 * ΔW = R Kᵀ (K Kᵀ + S Sᵀ + λC)⁻¹. Published with MEMIT's λ.
 *
 * @see reference, section 10.2
 */
export function memitSequential({ covarianceWeight }: MemitOptions = {}): EditingMethod {
  checkCovarianceWeight(covarianceWeight);
  return layerByLayer({
    name: "memit-sequential",
    options: covarianceWeight === undefined ? {} : { covarianceWeight },
    forLayer: async (context) => {
      const weighing = new ConstantWeight(covarianceWeight ?? context.hyperparameters.covarianceWeight);
      return EngineLayer.create(context, await context.keySpace(), "keys", weighing);
    },
  });
}
