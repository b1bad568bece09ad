import { LyaplockError } from "../../errors.js";
import type { NativeKeySpace } from "../../native/addon.js";
import { EngineLayer } from "./engine-layer.js";
import { layerByLayer } from "./layer-by-layer.js";
import type { LayerContext } from "./layer-method.js";
import type { EditingMethod } from "./method.js";
import { ConstantWeight } from "./weighing.js";

export interface AlphaEditOptions {
  /** Eigenvalues of the second moment under this span the null space, in place of the hyperparameters'
   * (`nullspace_threshold`) or 0.02. */
  threshold?: number | undefined;
  /** Weight of the change's norm, in place of the hyperparameters' (`L2`) or 10. */
  normWeight?: number | undefined;
}

/**
 * AlphaEdit: changes are confined to the null space of what is preserved, the directions U that ordinary text hardly uses, and
 * disturb the keys S of earlier facts as little as possible: ΔW = R Kᵀ U (Uᵀ (K Kᵀ + S Sᵀ) U + L2·I)⁻¹ Uᵀ. Published with a
 * threshold of 0.02 and L2 = 10.
 *
 * @see "AlphaEdit: Null-Space Constrained Knowledge Editing for Language Models", section 3; reference, section 10.5
 */
export function alphaedit({ threshold, normWeight }: AlphaEditOptions = {}): EditingMethod {
  checkPositive("threshold", threshold);
  checkPositive("normWeight", normWeight);
  return layerByLayer({
    name: "alphaedit",
    options: { ...(threshold === undefined ? {} : { threshold }), ...(normWeight === undefined ? {} : { normWeight }) },
    forLayer: async (context) => {
      const { space, weight } = await nullSpaceOf(context, threshold);
      return EngineLayer.create(context, space, "keys", new ConstantWeight(normWeight ?? weight));
    },
  });
}

/** The null space of a layer, the caller's to dispose of, and the weight of the norm in it. */
export async function nullSpaceOf(
  { hyperparameters, nullSpace }: LayerContext,
  threshold?: number,
): Promise<{ space: NativeKeySpace; weight: number }> {
  const { nullSpaceThreshold = 0.02, nullSpaceWeight = 10 } = hyperparameters;
  return { space: await nullSpace(threshold ?? nullSpaceThreshold), weight: nullSpaceWeight };
}

function checkPositive(name: string, value: number | undefined): void {
  if (value === undefined || (value > 0 && Number.isFinite(value))) return;
  throw new LyaplockError("ERR_INVALID_ARGUMENT", `${name} must be a number over 0; received ${value}`);
}
