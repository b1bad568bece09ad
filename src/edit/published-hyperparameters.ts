import type { ModelConfig } from "../model/config.js";
import type { Hyperparameters } from "./hyperparameters.js";

/** Families that have no published values take those of the model they descend from. */
export const llamaFamilies = ["llama", "mistral", "qwen2", "qwen3"];

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
export function oneLayerHyperparameters(
  { family, layers }: Pick<ModelConfig, "family" | "layers">,
  method: string,
): Hyperparameters | undefined {
  const rows = byMethod[method]?.filter(({ families }) => families.includes(family));
  const row = rows?.find(({ depth }) => depth === layers) ?? rows?.[0];
  if (row === undefined) return undefined;
  const { families: _, depth, layer, ...values } = row;
  return { layers: [Math.min(layers - 1, Math.round((layer * layers) / depth))], ...values };
}
