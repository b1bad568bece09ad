import { describe, expect, it } from "vitest";
import { parseHyperparameters } from "../../src/edit/hyperparameters.js";
import { defaultHyperparameters } from "../../src/edit/published-hyperparameters.js";
import type { ModelConfig } from "../../src/model/config.js";

/** As the files published for GPT2-XL are. */
const ROME = {
  layers: [17],
  fact_token: "subject_last",
  v_num_grad_steps: 20,
  v_lr: 0.5,
  v_loss_layer: 47,
  v_weight_decay: 0.5,
  clamp_norm_factor: 4,
  kl_factor: 0.0625,
  mom2_adjustment: true,
  context_template_length_params: [
    [5, 10],
    [10, 10],
  ],
};
const FT = { layers: [0], num_steps: 25, lr: 5e-4, weight_decay: 0, kl_factor: 0, norm_constraint: 5e-4 };
const LYAPLOCK = { ...ROME, layers: [13, 14], mom2_update_weight: 1000, alpha: 60 };

const config = (family: string, layers: number) => ({ family, layers }) as ModelConfig;

describe("hyperparameters", () => {
  it("of ROME are read from its published files, which have no λ", () => {
    expect(parseHyperparameters(ROME, "rome")).toEqual({
      layers: [17],
      steps: 20,
      learningRate: 0.5,
      weightDecay: 0.5,
      klFactor: 0.0625,
      clampNormFactor: 4,
      covarianceWeight: 0,
    });
    expect(parseHyperparameters({ ...ROME, mom2_adjustment: false }, "rome").alongMeanKey).toBe(true);
    expect(() => parseHyperparameters(ROME, "memit")).toThrow(/mom2_update_weight/);
  });

  it("of FT are read from its published files", () => {
    const read = { layers: [0], steps: 25, learningRate: 5e-4, weightDecay: 0 };
    expect(parseHyperparameters(FT, "ft")).toMatchObject({ ...read, normConstraint: 5e-4 });
    for (const norm_constraint of [false, null, undefined]) {
      expect(parseHyperparameters({ ...FT, norm_constraint }, "ft")).not.toHaveProperty("normConstraint");
    }
    // A whole number is a constraint, too.
    expect(parseHyperparameters({ ...FT, norm_constraint: 1 }, "ft").normConstraint).toBe(1);
  });

  it.each([
    ["norm_constraint", -1],
    ["norm_constraint", true],
    ["wd_power_law", [1, 2]],
    ["lr", 0],
    ["num_steps", 2.5],
  ])("of FT with %s %j are refused by name", (field, value) => {
    expect(() => parseHyperparameters({ ...FT, [field]: value }, "ft")).toThrow(field);
  });

  it("of one method come from its section, where there is one", () => {
    const file = { ...LYAPLOCK, rome: ROME, ft: FT };
    expect(parseHyperparameters(file, "lyaplock")).toMatchObject({ layers: [13, 14], covarianceWeight: 1000 });
    expect(parseHyperparameters(file, "rome")).toMatchObject({ layers: [17], covarianceWeight: 0 });
    expect(parseHyperparameters(file, "ft")).toMatchObject({ layers: [0], steps: 25 });
  });

  it.each([
    ["gpt2", 24, 8, { clampNormFactor: 3, steps: 20, weightDecay: 0.5 }],
    ["gpt2", 36, 12, { clampNormFactor: 4, steps: 20, weightDecay: 0.5 }],
    ["gpt2", 48, 17, { clampNormFactor: 4, steps: 20, weightDecay: 0.5 }],
    ["gptj", 28, 5, { clampNormFactor: 4, steps: 20, weightDecay: 0.5 }],
    ["llama", 32, 5, { clampNormFactor: 4, steps: 25, weightDecay: 0.001 }],
    ["gpt2", 12, 4, { clampNormFactor: 4 }],
    ["qwen3", 16, 3, { steps: 25 }],
  ])("of ROME are by default those of a %s of %i layers: layer %i", (family, depth, layer, values) => {
    const found = defaultHyperparameters(config(family, depth), "rome");
    expect(found).toMatchObject({ layers: [layer], learningRate: 0.5, klFactor: 0.0625, ...values });
  });

  it.each([
    ["gpt2", 24, 0, 2e-3],
    ["gpt2", 36, 0, 1e-3],
    ["gpt2", 48, 1, undefined],
    ["gptj", 28, 21, undefined],
    ["llama", 32, 21, undefined],
    ["llama", 6, 4, undefined],
  ])("of FT are by default those of a %s of %i layers: layer %i", (family, depth, layer, normConstraint) => {
    const found = defaultHyperparameters(config(family, depth), "ft");
    expect(found).toMatchObject({ layers: [layer], steps: 25, learningRate: 5e-4, weightDecay: 0 });
    expect(found.normConstraint).toBe(normConstraint);
  });
});
