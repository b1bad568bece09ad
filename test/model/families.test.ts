// Families beside those of the published reference numbers, against PyTorch.
// Witness: test/fixtures/families/make.py.

import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readModelConfig } from "../../src/model/config.js";
import { packTokens } from "../../src/model/token-batch.js";
import type { NativeModel, ValuePrompts } from "../../src/native/addon.js";
import { addon, call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { readTensors } from "../support/tensors.js";

const directory = fileURLToPath(new URL("../fixtures/families", import.meta.url));

describe.each(["llama-3.1", "llama-biases", "mistral", "qwen2", "qwen3"])("a model of %s", (name) => {
  const load = async () => {
    const config = await readModelConfig(path.join(directory, name, "config.json"));
    const files = [path.join(directory, name, "model.safetensors")];
    const native = await call((cancellation) => addon().loadModel(config, files, "f32", cancellation));
    const expected = await readTensors(path.join(directory, name, "expected.safetensors"));
    return { native, of: (tensor: string) => expected.get(tensor)!.values };
  };

  it.each([0, 1])("has PyTorch's logits for text %i", async (i) => {
    const { native, of } = await load();
    const tokens = [...of(`tokens.${i}`)];
    const rows = Int32Array.from(tokens.keys());
    const logits = await call((cancellation) => native.logits(packTokens([tokens]), rows, cancellation));
    const found = await call(() => logits.toFloat32Array());
    const worst = found.reduce((most, value, j) => Math.max(most, Math.abs(value - of(`logits.${i}`)[j]!)), 0);
    expect(worst).toBeLessThan(2e-4);
    native.dispose();
  });

  it("has PyTorch's gradient to a value", async () => {
    const { native, of } = await load();
    const gradients = await firstGradient(native, {
      tokens: [...of("value_tokens")],
      lookup: of("value_lookup")[0]!,
      labels: [...of("value_labels")],
    });
    expectWithin(relativeError(gradients, of("value_gradient")), 1e-4);
    native.dispose();
  });
});

/** To δ = 0 at the output of block 1; without the KL term, whose prompt is the text up to the lookup. */
async function firstGradient(
  native: NativeModel,
  { tokens, lookup, labels }: { tokens: number[]; lookup: number; labels: number[] },
): Promise<Float32Array> {
  const prompts: ValuePrompts = {
    batch: packTokens([tokens, tokens.slice(0, lookup + 1)]),
    facts: Int32Array.of(0, 0),
    lookups: Int32Array.of(lookup, lookup),
    labelSequences: new Int32Array(labels.length),
    labelPositions: Int32Array.from(labels.keys(), (j) => tokens.length - labels.length + j),
    labelTokens: Int32Array.from(labels),
    bare: Int32Array.of(0),
  };
  const options = {
    layer: 1,
    place: "block" as const,
    steps: 2,
    learningRate: 0.1,
    weightDecay: 0,
    klFactor: 0,
    clampNormFactor: 1,
    stopLoss: 0,
  };
  const result = await call((cancellation) =>
    native.optimizeValues(prompts, { ...options, trajectory: true }, cancellation),
  );
  return result.trajectories![0]!.gradients;
}
