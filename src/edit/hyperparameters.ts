import { z } from "zod";
import { describeIssues } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";

/** How values are optimised and updates weighed; in brackets the names of the published JSON files (reference, section 2). */
export interface Hyperparameters {
  /** Edited layers, rising, from 0 (`layers`). Values are optimised at the output of the last one. */
  layers: number[];
  /** Forward passes per value at most; one fewer Adam steps (`v_num_grad_steps`). Of FT: epochs at most (`num_steps`). */
  steps: number;
  /** Of Adam (`v_lr`; of FT `lr`). */
  learningRate: number;
  /** Of ‖δ‖ / ‖h0‖² (`v_weight_decay`). Of FT: so many times the weight is added to its gradient (`weight_decay`). */
  weightDecay: number;
  /** Of KL at "{subject} is a" (`kl_factor`). */
  klFactor: number;
  /** ‖δ‖ ≤ clampNormFactor · ‖h0‖ (`clamp_norm_factor`). FT, which optimises no value, has 0 here. */
  clampNormFactor: number;
  /** λ, the weight of the preserved knowledge (`mom2_update_weight`). ROME and FT, which weigh none, have 0. */
  covarianceWeight: number;
  /** α, where the file names one; the method's own option wins (`alpha`). */
  alpha?: number | undefined;
  /** Of AlphaEdit: eigenvalues of the second moment under this span its null space (`nullspace_threshold`), and how much the norm
   * of a change weighs there (`L2`). */
  nullSpaceThreshold?: number | undefined;
  nullSpaceWeight?: number | undefined;
  /** Of ROME: true for updates along the mean key k̄ in place of C⁻¹k̄ (`mom2_adjustment` false). */
  alongMeanKey?: boolean | undefined;
  /** Of FT: ε, how far an element may move in a batch; without limit where there is none (`norm_constraint`). */
  normConstraint?: number | undefined;
}

const positive = z.number().positive();
const layers = z.array(z.int().nonnegative()).nonempty();
const ofValues = {
  layers,
  v_num_grad_steps: z.int().positive(),
  v_lr: positive,
  v_weight_decay: z.number().nonnegative(),
  kl_factor: z.number().nonnegative(),
  clamp_norm_factor: positive,
  fact_token: z.literal("subject_last").optional(),
};
const published = z.looseObject({
  ...ofValues,
  mom2_update_weight: positive,
  alpha: z.number().gte(1).optional(),
  nullspace_threshold: positive.optional(),
  L2: positive.optional(),
});
const publishedRome = z.looseObject({ ...ofValues, mom2_adjustment: z.boolean().optional() });
const publishedFt = z.looseObject({
  layers,
  num_steps: z.int().positive(),
  lr: positive,
  weight_decay: z.number().nonnegative(),
  // The published code takes a whole number for no constraint, and reads a power law that does nothing (reference, Q27).
  norm_constraint: z.union([positive, z.literal(false)], "expected a number over 0, or false").nullish(),
  wd_power_law: z.literal(false, "is not supported; leave it out").nullish(),
});

/**
 * Hyperparameters from the published JSON form; names that these methods do not use are left alone.
 *
 * @param method whose section, an object under its name, says what differs for it. None need be there.
 * @throws ERR_INVALID_ARGUMENT naming the field.
 */
export function parseHyperparameters(json: unknown, method?: string): Hyperparameters {
  const hyperparameters = parseFor(method, withSection(json, method));
  checkLayers(hyperparameters.layers);
  return hyperparameters;
}

function parseFor(method: string | undefined, json: unknown): Hyperparameters {
  if (method === "ft") {
    const data = parse(publishedFt, json);
    const { layers, num_steps: steps, lr: learningRate, weight_decay: weightDecay, norm_constraint } = data;
    const none = { klFactor: 0, clampNormFactor: 0, covarianceWeight: 0 };
    return {
      ...{ layers, steps, learningRate, weightDecay, ...none },
      ...(norm_constraint ? { normConstraint: norm_constraint } : {}),
    };
  }
  if (method === "rome") {
    const data = parse(publishedRome, json);
    return {
      ...valueHyperparameters(data),
      covarianceWeight: 0,
      ...(data.mom2_adjustment === false ? { alongMeanKey: true } : {}),
    };
  }
  const data = parse(published, json);
  return {
    ...valueHyperparameters(data),
    covarianceWeight: data.mom2_update_weight,
    ...(data.alpha === undefined ? {} : { alpha: data.alpha }),
    ...(data.nullspace_threshold === undefined ? {} : { nullSpaceThreshold: data.nullspace_threshold }),
    ...(data.L2 === undefined ? {} : { nullSpaceWeight: data.L2 }),
  };
}

function valueHyperparameters(data: z.infer<z.ZodObject<typeof ofValues>>) {
  return {
    layers: data.layers,
    steps: data.v_num_grad_steps,
    learningRate: data.v_lr,
    weightDecay: data.v_weight_decay,
    klFactor: data.kl_factor,
    clampNormFactor: data.clamp_norm_factor,
  };
}

function parse<T>(schema: z.ZodType<T>, json: unknown): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new LyaplockError("ERR_INVALID_ARGUMENT", `hyperparameters: ${describeIssues(parsed.error)}`);
}

function withSection(json: unknown, method: string | undefined): unknown {
  const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (method === undefined || !isObject(json)) return json;
  const section = (json as Record<string, unknown>)[method];
  return isObject(section) ? { ...(json as object), ...(section as object) } : json;
}

/** @throws ERR_INVALID_ARGUMENT unless there are layers and they rise. */
export function checkLayers(layers: readonly number[]): void {
  const rising = layers.every((layer, i) => i === 0 || layer > layers[i - 1]!);
  if (layers.length > 0 && rising) return;
  throw new LyaplockError(
    "ERR_INVALID_ARGUMENT",
    `layers must be at least one, rising; received ${layers.join(", ") || "none"}`,
  );
}
