import { LyaplockError } from "../errors.js";
import type { ModelConfig } from "../model/config.js";
import type { Hyperparameters } from "./hyperparameters.js";

/** Families that have no published values take those of the model they descend from. */
const llamaFamilies = ["llama", "mistral", "qwen2", "qwen3"];

interface OneLayer extends Omit<Hyperparameters, "layers"> {
  families: readonly string[];
  /** Layers of the model that the values were published for. */
  depth: number;
  layer: number;
}

const rome = { learningRate: 0.5, klFactor: 0.0625, covarianceWeight: 0 };

/** Reference, section 2.2: gpt2-xl, gpt2-large and gpt2-medium; GPT-J-6B; Llama-3-8B. */
const ROME: readonly OneLayer[] = [
  { ...rome, families: ["gpt2"], depth: 48, layer: 17, steps: 20, weightDecay: 0.5, clampNormFactor: 4 },
  { ...rome, families: ["gpt2"], depth: 36, layer: 12, steps: 20, weightDecay: 0.5, clampNormFactor: 4 },
  { ...rome, families: ["gpt2"], depth: 24, layer: 8, steps: 20, weightDecay: 0.5, clampNormFactor: 3 },
  { ...rome, families: ["gptj"], depth: 28, layer: 5, steps: 20, weightDecay: 0.5, clampNormFactor: 4 },
  { ...rome, families: llamaFamilies, depth: 32, layer: 5, steps: 25, weightDecay: 0.001, clampNormFactor: 4 },
];

const ft = { steps: 25, learningRate: 5e-4, weightDecay: 0, klFactor: 0, clampNormFactor: 0, covarianceWeight: 0 };

/** Reference, section 2.3, the same models: unconstrained where such values were published. */
const FT: readonly OneLayer[] = [
  { ...ft, families: ["gpt2"], depth: 48, layer: 1 },
  { ...ft, families: ["gpt2"], depth: 36, layer: 0, normConstraint: 1e-3 },
  { ...ft, families: ["gpt2"], depth: 24, layer: 0, normConstraint: 2e-3 },
  { ...ft, families: ["gptj"], depth: 28, layer: 21 },
  { ...ft, families: llamaFamilies, depth: 32, layer: 21 },
];

const byMethod: Readonly<Record<string, readonly OneLayer[]>> = { rome: ROME, ft: FT };

/**
 * Of a method that edits one layer: those of the model of the same family and depth; for another depth those of the family's
 * first row, its layer moved in proportion. Undefined for other methods, and other families.
 */
function oneLayerHyperparameters(
  { family, layers }: Pick<ModelConfig, "family" | "layers">,
  method: string,
): Hyperparameters | undefined {
  const rows = byMethod[method]?.filter(({ families }) => families.includes(family));
  const row = rows?.find(({ depth }) => depth === layers) ?? rows?.[0];
  if (row === undefined) return undefined;
  const { families: _, depth, layer, ...values } = row;
  return { layers: [Math.min(layers - 1, Math.round((layer * layers) / depth))], ...values };
}

/** Of methods that edit several layers, by number of layers: gpt2-xl has 48, GPT-J-6B 28, Llama-3-8B 32 (reference, section 2.1). */
const SEVERAL = [
  { families: ["gpt2"], depth: 48, layers: [13, 14, 15, 16, 17], steps: 20, learningRate: 0.5, memit: 20_000 },
  { families: ["gptj"], depth: 28, layers: [3, 4, 5, 6, 7, 8], steps: 25, learningRate: 0.5, memit: 15_000 },
  {
    families: llamaFamilies,
    depth: 32,
    layers: [4, 5, 6, 7, 8],
    steps: 25,
    learningRate: 0.1,
    memit: 15_000,
  },
];

/**
 * The published values of the family; for a model of another depth its layers are moved in proportion, which is a start
 * and no measurement.
 *
 * @param method whose values are taken: ROME and FT have their own, the others differ in λ alone, which is 1,000 for LyapLock and
 *   MEMIT's for the rest.
 */
export function defaultHyperparameters(config: ModelConfig, method = "lyaplock"): Hyperparameters {
  const { family, layers: depth } = config;
  const ofOneLayer = oneLayerHyperparameters(config, method);
  if (ofOneLayer !== undefined) return ofOneLayer;
  const row = SEVERAL.find(({ families }) => families.includes(family));
  if (row === undefined) {
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `there are no default hyperparameters for ${family}; give a file`);
  }
  const scaled = row.layers.map((layer) => Math.min(depth - 1, Math.round((layer * depth) / row.depth)));
  return {
    layers: [...new Set(scaled)],
    steps: row.steps,
    learningRate: row.learningRate,
    weightDecay: 0.5,
    klFactor: 0.0625,
    clampNormFactor: 0.75,
    covarianceWeight: method === "lyaplock" ? 1000 : row.memit,
  };
}
