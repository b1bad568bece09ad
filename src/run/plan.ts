import { planUpdates, type UpdatePlan } from "../edit/plan.js";
import { LyaplockError } from "../errors.js";
import { findModel } from "../model/load.js";
import { countWeights } from "../model/weight-count.js";
import type { ProductInputs, SolvePrecision } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { type DevicePlan, planOnDevice } from "./device-plan.js";
import { chooseHyperparameters } from "./editing-inputs.js";
import type { PlannedDeviceName } from "./planned-devices.js";

/** A run that is to be planned: of a model, of which only config.json is read, or of a shape. */
export type PlanOptions = (
  | { model: string; layers?: number[] | undefined }
  /** d and m */
  | { keyWidth: number; valueWidth: number; layers: number[] }
) & {
  edits: number;
  /** Facts per batch. Default 100. */
  batch?: number | undefined;
  /** A GPU, which need not be here, on which a whole batch is to be planned too; takes a model. */
  device?: PlannedDeviceName | undefined;
  /** How it multiplies float32 matrices. Default "f32". */
  matmul?: ProductInputs | undefined;
  /** How it solves float64 systems. Default "f64". */
  solve?: SolvePrecision | undefined;
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
  /** Null where no GPU was named. */
  onDevice: DevicePlan | null;
}

/**
 * Predicts memory, operations and time of the updates of a run, and of what they need. What depends on the lengths of texts is
 * left out: collecting second moments, values, keys, evaluation. On a GPU that is named, whole batches are planned, for prompts of
 * the usual lengths.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_FILE, ERR_MODEL_FORMAT, ERR_UNKNOWN_ARCHITECTURE, ERR_UNSUPPORTED, ERR_ABORTED
 */
export async function planRun(options: PlanOptions, signal?: AbortSignal): Promise<RunPlan> {
  const { edits, batch = 100, device, matmul = "f32", solve = "f64" } = options;
  const { model, keyWidth, valueWidth, layers, weightCount, of } = await shapeOf(options, signal);
  if (device !== undefined && of === null) {
    const what = "a shape says nothing of the model around it: name a model, of which config.json is enough";
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `the plan for a device needs more than a shape; ${what}`);
  }
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
    onDevice:
      device === undefined || of === null
        ? null
        : await planOnDevice({ device, matmul, solve, ...of, edits, batch }, signal),
  };
}

async function shapeOf(options: PlanOptions, signal: AbortSignal | undefined) {
  if (!("model" in options)) {
    const { keyWidth, valueWidth, layers } = options;
    return { model: null, keyWidth, valueWidth, layers, weightCount: 0, of: null };
  }
  const { name, config } = await findModel(options.model, { signal });
  const chosen = { layers: options.layers ?? null, hparams: null };
  const hyperparameters = await chooseHyperparameters({ name, config }, chosen, "lyaplock");
  const { feedForwardWidth: keyWidth, width: valueWidth } = config;
  const { layers } = hyperparameters;
  const of = { config, hyperparameters };
  return { model: name, keyWidth, valueWidth, layers, weightCount: countWeights(config), of };
}
