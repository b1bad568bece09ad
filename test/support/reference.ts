// The reference's runs as the engine takes them: matrices in float64, weights [m, d] whatever the checkpoint's orientation.

import { type Family, officialJson, officialPath } from "./official.js";
import { entry, type Plain, plain } from "./plain.js";
import { readTensors, turned } from "./tensors.js";

export const EDITED_LAYERS = [2, 3, 4];

type ReferenceMethod = "lyaplock" | "memit" | "memit_seq" | "memit_rect" | "memit_prune" | "alphaedit" | "rome" | "ft";

interface ReferenceHyperparameters {
  mom2_update_weight: number;
  rewrite_module_tmp: string;
  nullspace_threshold: number;
  L2: number;
}
type HyperparameterFile = Record<ReferenceMethod, ReferenceHyperparameters> & { run: { alpha: number } };

const hyperparameterFile = (family: Family) => officialJson<HyperparameterFile>(family, "hparams.json");

/** The name of an edited weight in the checkpoint. */
export const weightName = (family: Family, layer: number): string =>
  `${hyperparameterFile(family).memit.rewrite_module_tmp.replace("{}", `${layer}`)}.weight`;

/** W0 [m, d] and C [d, d] of one layer. */
export async function referenceLayer(family: Family, layer: number) {
  const statistics = await readTensors(officialPath(family, "statistics", `layer-${layer}.safetensors`));
  const model = await readTensors(officialPath(family, "model", "model.safetensors"));
  const covariance = statistics.get("second_moment")!;
  const stored = model.get(weightName(family, layer))!;
  return { covariance, original: stored.cols === covariance.cols ? stored : turned(stored) };
}

/** The batches of one run, with `Expected` for what its JSON file says of a layer. */
export async function referenceRun<Expected>(family: Family, method: Exclude<ReferenceMethod, "rome" | "ft">) {
  const tensors = await readTensors(officialPath(family, "expected", `${method}.safetensors`));
  const { batches } = officialJson<{ batches: { batch: number; layers: Record<string, Expected> }[] }>(
    family,
    "expected",
    `${method}.json`,
  );
  const { run, [method]: hyperparameters } = hyperparameterFile(family);
  return {
    run,
    hyperparameters,
    batches: batches.map(({ batch, layers }) => ({
      layer(layer: number) {
        const tensor = (name: string) => tensors.get(`batch.${batch}.layer.${layer}.${name}`);
        const keys = tensor("keys")!;
        return {
          /** A column per fact, as the reference writes them: [d, u] and [m, u]. */
          keys,
          residuals: tensor("residuals")!,
          expected: layers[layer]!,
          /** A weight after the batch [m, d], where the file holds it. */
          published(name: string): Plain | undefined {
            const weight = tensor(name);
            return weight && weight.cols !== keys.rows ? turned(weight) : weight;
          },
          tensor,
        };
      },
    })),
  };
}

/**
 * What rounding alone does to the weights of one run of the reference, relative to their drift: the same run with every weight
 * changed by half a float32 ulp (fixtures README, "sensitivity.json"). The largest of the run's figures, for one rounding can hit a
 * single number by less, by chance.
 */
export function rounding(family: Family, method: ReferenceMethod): number {
  const { [method]: run } = officialJson<
    Record<ReferenceMethod, { weights: Record<string, { relative_to_drift: number }> }>
  >(family, "expected", "sensitivity.json");
  return Math.max(...Object.values(run.weights).map(({ relative_to_drift }) => relative_to_drift));
}

/**
 * How near weights must come that the reference solved in float64 (fixtures README: "exact"), relative to their drift. Two solutions in
 * float64 may round to neighbouring float32 numbers; with one element in a thousand doing so this is not reached.
 */
export const BIT_FOR_BIT = 1e-8;

/** W + float32(Δ) in float32: how the reference takes in an update. */
export const addedInFloat32 = (weight: Plain, delta: Plain): Plain =>
  plain(weight.rows, weight.cols, (i, j) => Math.fround(entry(weight, i, j) + Math.fround(entry(delta, i, j))));
