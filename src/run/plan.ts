import { planUpdates, type UpdatePlan } from "../edit/plan.js";
import { findModel } from "../model/load.js";
import { countWeights } from "../model/weight-count.js";
import { addon, call } from "../native/index.js";
import { chooseHyperparameters } from "./editing-inputs.js";

/** A run that is to be planned: of a model, of which only config.json is read, or of a shape. */
export type PlanOptions = (
  | { model: string; layers?: number[] | undefined }
  /** d and m */
  | { keyWidth: number; valueWidth: number; layers: number[] }
) & {
  edits: number;
  /** Facts per batch. Default 100. */
  batch?: number | undefined;
};

/** Memory in bytes. Seconds as if all operations were large float64 products, at this machine's speed: the least it can take. */
export interface RunPlan {
  method: "lyaplock";
  /** Null for a shape. */
  model: string | null;
  keyWidth: number;
  valueWidth: number;
  layers: number[];
  edits: number;
  batch: number;
  device: { name: string; float64Gigaflops: number };
  /** The whole model in float32, and the edited matrices twice, as they are and as they were before the batch; 0 for a shape. */
  weights: { model: number; edited: number };
  /** C of every layer, each until it is factored, before the first batch. */
  secondMoments: { bytes: number; flops: number; seconds: number };
  updates: {
    /** While the virtual queue sleeps. */
    weightStays: UpdatePlan & { seconds: number };
    /** While it is awake. */
    weightChanges: UpdatePlan & { seconds: number };
  };
  /** The most that is held from beginning to end, in either case. */
  peakBytes: { weightStays: number; weightChanges: number };
}

/**
 * Predicts memory, operations and time of the updates of a run, and of what they need. What depends on the lengths of texts is
 * left out: collecting second moments, values, keys, evaluation.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_FILE, ERR_MODEL_FORMAT, ERR_UNKNOWN_ARCHITECTURE, ERR_UNSUPPORTED, ERR_ABORTED
 */
export async function planRun(options: PlanOptions, signal?: AbortSignal): Promise<RunPlan> {
  const { edits, batch = 100 } = options;
  const { model, keyWidth, valueWidth, layers, weightCount } = await shapeOf(options, signal);
  const planned = { keyWidth, valueWidth, layers: layers.length, edits, batchSize: batch };
  const plans = {
    weightStays: await planUpdates({ ...planned, weight: "stays" }, signal),
    weightChanges: await planUpdates({ ...planned, weight: "changes" }, signal),
  };

  const { float64Gigaflops } = await call(() => addon().selfTest(), signal);
  const timed = <T extends { flops: number }>(work: T) => ({ ...work, seconds: work.flops / (float64Gigaflops * 1e9) });
  const secondMoments = timed({
    bytes: layers.length * 8 * keyWidth ** 2,
    flops: (layers.length * keyWidth ** 3) / 3,
  });
  const weights = {
    model: 4 * weightCount,
    edited: weightCount === 0 ? 0 : 2 * layers.length * 4 * keyWidth * valueWidth,
  };
  const peakOf = ({ memory, peakBytes }: UpdatePlan) =>
    weights.model + Math.max(secondMoments.bytes + memory.keySpaces, weights.edited + peakBytes);
  return {
    ...{ method: "lyaplock", model, keyWidth, valueWidth, layers, edits, batch },
    device: { name: addon().systemInfo().backend, float64Gigaflops },
    weights,
    secondMoments,
    updates: { weightStays: timed(plans.weightStays), weightChanges: timed(plans.weightChanges) },
    peakBytes: { weightStays: peakOf(plans.weightStays), weightChanges: peakOf(plans.weightChanges) },
  };
}

async function shapeOf(options: PlanOptions, signal: AbortSignal | undefined) {
  if (!("model" in options)) return { model: null, weightCount: 0, ...options };
  const model = await findModel(options.model, { signal });
  const { layers } = await chooseHyperparameters(model, { layers: options.layers ?? null, hparams: null }, "lyaplock");
  const { feedForwardWidth: keyWidth, width: valueWidth } = model.config;
  return { model: model.name, keyWidth, valueWidth, layers, weightCount: countWeights(model.config) };
}
