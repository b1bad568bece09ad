import { LyaplockError } from "../../errors.js";
import type { NativeMatrix } from "../../native/addon.js";
import { addon, call } from "../../native/index.js";
import { layerByLayer } from "./layer-by-layer.js";
import type { MemitOptions } from "./memit.js";
import type { EditingMethod } from "./method.js";
import { ShapedLayer } from "./shaped-layer.js";
import { ConstantWeight, checkCovarianceWeight } from "./weighing.js";

/** Of the elements of a change, as the published LyapLock code has it; RECT's own has 0.2. */
const PUBLISHED_SHARE = 0.4;

export interface RectOptions extends MemitOptions {
  /** Of the elements of a change that are kept, over 0 and at most 1. Default 0.4. */
  share?: number | undefined;
}

/**
 * RECT: MEMIT's change, of which, once all layers have been solved for, only the elements are kept that change the weight most for
 * its size, |ΔW / W|. Published with MEMIT's λ.
 *
 * @see "Model Editing Harms General Abilities of Large Language Models: Regularization to the Rescue", section 4; reference,
 *   section 10.3
 */
export function rect({ covarianceWeight, share }: RectOptions = {}): EditingMethod {
  checkCovarianceWeight(covarianceWeight);
  const shape = keepTop(share);
  return layerByLayer({
    name: "rect",
    options: {
      ...(covarianceWeight === undefined ? {} : { covarianceWeight }),
      ...(share === undefined ? {} : { share }),
    },
    forLayer: async (context) => {
      const weighing = new ConstantWeight(covarianceWeight ?? context.hyperparameters.covarianceWeight);
      return ShapedLayer.create(context, { weighing, shape });
    },
  });
}

/** What RECT does to a change Δ [m, d] of the weight W [m, d]. */
export function keepTop(share = PUBLISHED_SHARE): (delta: NativeMatrix, weight: NativeMatrix) => Promise<NativeMatrix> {
  if (!(share > 0 && share <= 1)) {
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `share must be over 0 and at most 1; received ${share}`);
  }
  return (delta, weight) => call(() => addon().keepTopShare(delta, weight, share));
}
