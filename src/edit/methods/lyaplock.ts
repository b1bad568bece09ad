import { LyaplockError } from "../../errors.js";
import { VirtualQueue } from "../virtual-queue.js";
import { nullSpaceOf } from "./alphaedit.js";
import { EngineLayer } from "./engine-layer.js";
import { layerByLayer } from "./layer-by-layer.js";
import type { LayerContext, LayerMethod } from "./layer-method.js";
import type { EditingMethod } from "./method.js";
import { OwnDriftLayer } from "./own-drift-layer.js";
import { PrunedLayer } from "./prune.js";
import { keepTop } from "./rect.js";
import { checkCovarianceWeight, QueuedWeight } from "./weighing.js";

/** Methods that the queue can be combined with. */
export const lyapLockBases = ["memit", "rect", "prune", "alphaedit"] as const;

export interface LyapLockOptions {
  /** α: the preservation loss is held at or under α times that of the first batch. The paper's default is 60. */
  alpha?: number | undefined;
  /** λ, in place of the hyperparameters' (`mom2_update_weight`; with base "alphaedit" its `L2`). */
  covarianceWeight?: number | undefined;
  /**
   * A method to be combined with, in place of LyapLock's own memory of all earlier facts: "memit" solves each batch under the
   * queue without them, "rect" and "prune" shape the outcome as those methods do, "alphaedit" remembers all facts, in its null
   * space.
   */
  base?: (typeof lyapLockBases)[number] | undefined;
}

/**
 * LyapLock: every batch minimises the editing error of all facts so far plus μ times the preservation loss, and a virtual
 * queue raises μ while that loss is over its threshold, so that its long-run average stays under it.
 *
 * @see "LyapLock: Bounded Knowledge Preservation in Sequential Large Language Model Editing", section 3, and for combinations
 *   section 4.5; reference, section 9
 */
export function lyaplock({ alpha = 60, covarianceWeight, base }: LyapLockOptions = {}): EditingMethod {
  const queue = VirtualQueue.create({ alpha }); // refuses a bad one here, where it was given
  checkCovarianceWeight(covarianceWeight);
  if (base !== undefined && !lyapLockBases.includes(base)) {
    const known = lyapLockBases.join(", ");
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `lyaplock has no base "${base}"; there are ${known}`);
  }
  const forLayer = async (context: LayerContext): Promise<LayerMethod> => {
    const weight = covarianceWeight ?? context.hyperparameters.covarianceWeight;
    const weighing = new QueuedWeight(weight, queue);
    switch (base) {
      case undefined:
        return EngineLayer.create(context, await context.keySpace(), "values", weighing);
      case "memit":
        return OwnDriftLayer.create(context, { weighing, pullsBack: true });
      case "rect":
        return OwnDriftLayer.create(context, { weighing, pullsBack: true, shape: keepTop() });
      case "prune":
        return PrunedLayer.create(context, await OwnDriftLayer.create(context, { weighing, pullsBack: true }));
      case "alphaedit": {
        const { space, weight: own } = await nullSpaceOf(context);
        return EngineLayer.create(context, space, "values", new QueuedWeight(covarianceWeight ?? own, queue));
      }
    }
  };
  const options = {
    alpha,
    ...(covarianceWeight === undefined ? {} : { covarianceWeight }),
    ...(base === undefined ? {} : { base }),
  };
  return layerByLayer({ name: "lyaplock", options, forLayer });
}
