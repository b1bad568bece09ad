import { LyaplockError } from "../../errors.js";
import { VirtualQueue } from "../virtual-queue.js";
import { nullSpaceOf } from "./alphaedit.js";
import { EngineLayer } from "./engine-layer.js";
import { layerByLayer } from "./layer-by-layer.js";
import type { LayerContext, LayerMethod } from "./layer-method.js";
import type { EditingMethod } from "./method.js";
import { PrunedLayer } from "./prune.js";
import { keepTop } from "./rect.js";
import { ShapedLayer } from "./shaped-layer.js";
import { checkCovarianceWeight, LimitedWeight, QueuedWeight } from "./weighing.js";

/** Methods that the queue can be combined with. */
export const lyapLockBases = ["memit", "rect", "prune", "alphaedit"] as const;

/** What is held at or under the threshold: the loss's average over the batches, or the loss after each of them. */
export const lyapLockBounds = ["average", "each-batch"] as const;

export interface LyapLockOptions {
  /** α: the preservation loss is held at or under α times that of the first batch. The paper's default is 60. */
  alpha?: number | undefined;
  /** λ, in place of the hyperparameters' (`mom2_update_weight`; with base "alphaedit" its `L2`). */
  covarianceWeight?: number | undefined;
  /**
   * A method to be combined with, in place of LyapLock's own memory of all earlier facts: with "memit", "rect" and "prune" each
   * batch adds what that method adds, under the queue's weight in place of λ, which slows the loss down instead of pulling it
   * back; "alphaedit" remembers all facts, in its null space. (The published code, its memory switched off, pulls the drift of
   * earlier batches back too, and so forgets them.)
   */
  base?: (typeof lyapLockBases)[number] | undefined;
  /**
   * "average" (default): the paper's virtual queue, which bounds the long-run average of the loss; after a single batch it can
   * be several times its threshold. "each-batch": after every batch the loss is at or under it (to 0.1 %, and to the rounding
   * of weights to float32), by the smallest μ ≥ λ that does it: the least editing error there is under that bound. Not in the
   * paper, and not with a `base`.
   */
  bound?: (typeof lyapLockBounds)[number] | undefined;
}

/**
 * LyapLock: every batch minimises the editing error of all facts so far plus μ times the preservation loss, and a virtual
 * queue raises μ while that loss is over its threshold, so that its long-run average stays under it. With `bound: "each-batch"`
 * μ is instead what just keeps the loss at its threshold. Published with α = 60 and MEMIT's λ.
 *
 * @see "LyapLock: Bounded Knowledge Preservation in Sequential Large Language Model Editing", section 3, and for combinations
 *   section 4.5; reference, section 9
 */
export function lyaplock({ alpha = 60, covarianceWeight, base, bound }: LyapLockOptions = {}): EditingMethod {
  const queue = VirtualQueue.create({ alpha }); // refuses a bad one here, where it was given
  checkCovarianceWeight(covarianceWeight);
  checkChoice("base", base, lyapLockBases);
  checkChoice("bound", bound, lyapLockBounds);
  const isLimited = bound === "each-batch";
  if (isLimited && base !== undefined) {
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `lyaplock holds no bound for each batch with the base "${base}"`);
  }
  const forLayer = async (context: LayerContext): Promise<LayerMethod> => {
    const weight = covarianceWeight ?? context.hyperparameters.covarianceWeight;
    const weighing = isLimited ? new LimitedWeight(weight, alpha) : new QueuedWeight(weight, queue);
    switch (base) {
      case undefined:
        return EngineLayer.create(context, await context.keySpace(), "values", weighing);
      case "memit":
        return EngineLayer.create(context, await context.keySpace(), "none", weighing);
      case "rect":
        return ShapedLayer.create(context, { weighing, shape: keepTop() });
      case "prune":
        return PrunedLayer.create(context, weighing);
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
    ...(isLimited ? { bound } : {}),
  };
  return layerByLayer({ name: "lyaplock", options, forLayer });
}

function checkChoice(name: string, value: string | undefined, known: readonly string[]): void {
  if (value === undefined || known.includes(value)) return;
  const list = known.join(", ");
  throw new LyaplockError("ERR_INVALID_ARGUMENT", `lyaplock has no ${name} "${value}"; there are ${list}`);
}
