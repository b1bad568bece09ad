// Fine-tuning, three batches, against the reference's run: losses of every step, weights and biases.
// Witness: test/fixtures/official/*/expected/ft.* and sensitivity.json (see the README there).

import { describe, expect, it } from "vitest";
import { methods } from "../../src/edit/methods/index.js";
import { packTrainingPrompts } from "../../src/edit/training-prompts.js";
import { call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { fixtureEditor, fixtureRun } from "../support/fixture-run.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES, officialJson, officialPath } from "../support/official.js";
import { rounding } from "../support/reference.js";
import { readTensors, turned } from "../support/tensors.js";

const LAYER = 2;
/**
 * Adam's first step of a batch is the learning rate up or down, however small a gradient is: where rounding turns the sign of one
 * that is next to nothing, all that follows goes slightly another way. It does so in tiny-gpt2's second batch with OpenBLAS's
 * Haswell kernel, by 2.4e-4 of the losses and 4.7e-4 of the weights; a mistake is more than that by the first batch.
 */
const TURNED_SIGN = 1e-3;

interface Expected {
  batches: { batch: number; loss: number[] }[];
}

describe.each(FAMILIES)("fine-tuning of %s", (family) => {
  it("ends with the reference's weights and biases, where it trains what that does", async () => {
    const model = await tinyModel(family);
    const { facts, batchSize } = fixtureRun(family, "ft");
    const method = methods.fineTuning({ tokens: "prompt-end" });
    const editor = await fixtureEditor(model, family, { method, section: "ft" });
    const tensors = await readTensors(officialPath(family, "expected", "ft.safetensors"));
    const { batches } = officialJson<Expected>(family, "expected", "ft.json");
    const bound = Math.min(10 * rounding(family, "ft"), 1e-2);
    const original = await call(async () => (await model.native.originalWeight(LAYER)).toFloat64Array());
    const originalBias = await call(async () => (await model.native.originalBias(LAYER))?.toFloat64Array());
    let compared = 0;
    for await (const { batch, values } of editor.edit(facts, { batchSize })) {
      const losses = batches[batch - 1]!.loss;
      const mean = values.reduce((sum, { loss }) => sum + loss, 0) / values.length;
      const within = batch === 1 ? bound : Math.max(bound, TURNED_SIGN);
      expectWithin(mean / losses.at(-1)! - 1, 1e-4, `the last loss of batch ${batch}`);
      expect(values.map(({ iterations }) => iterations)).toEqual(values.map(() => losses.length));
      const stored = tensors.get(`batch.${batch}.layer.${LAYER}.weight`);
      if (stored === undefined) continue;
      const wanted = stored.rows === model.config.width ? stored.values : turned(stored).values;
      const weight = await call(async () => (await model.native.weight(LAYER)).toFloat64Array());
      const drift = (of: ArrayLike<number>) => original.map((w, i) => of[i]! - w);
      expectWithin(relativeError(drift(weight), drift(wanted)), within, `the weight after batch ${batch}`);
      compared += 1;
      const wantedBias = tensors.get(`batch.${batch}.layer.${LAYER}.bias`);
      expect(wantedBias === undefined).toBe(originalBias === undefined);
      if (wantedBias === undefined || originalBias === undefined) continue;
      const bias = await call(async () => (await model.native.bias(LAYER))!.toFloat64Array());
      const biasDrift = (of: ArrayLike<number>) => originalBias.map((b, i) => of[i]! - b);
      expectWithin(
        relativeError(biasDrift(bias), biasDrift(wantedBias.values)),
        within,
        `the bias after batch ${batch}`,
      );
      compared += 1;
    }
    expect(compared).toBe(family === "tiny-llama" ? 2 : 4);
  });

  it("has the reference's loss before every step", async () => {
    const model = await tinyModel(family);
    const { facts, batchSize, hyperparameters } = fixtureRun(family, "ft");
    const { steps, learningRate, weightDecay, normConstraint } = hyperparameters;
    const options = { layer: LAYER, epochs: steps, batchSize: 64, learningRate, weightDecay, normConstraint };
    for (const { batch, loss } of officialJson<Expected>(family, "expected", "ft.json").batches) {
      const part = facts.slice((batch - 1) * batchSize, batch * batchSize);
      const prompts = await packTrainingPrompts(model.tokenizer, part, "prompt-end", 64);
      const { losses } = await call(() => model.native.fineTune(prompts, { ...options, stopLoss: 0.01 }));
      expect(losses.length).toBe(loss.length);
      for (const [i, found] of losses.entries())
        expectWithin(found / loss[i]! - 1, batch === 1 ? 1e-4 : TURNED_SIGN, `loss ${i} of batch ${batch}`);
    }
  });

  it("makes every token of the target the most probable one by default, which the published loss does not", async () => {
    const model = await tinyModel(family);
    const { facts } = fixtureRun(family, "ft");
    const long = facts.slice(0, 4).map((fact) => ({ ...fact, targetNew: `${fact.targetNew} ${fact.targetTrue}` }));
    const prompts = await packTrainingPrompts(model.tokenizer, long, "each-token", 64);
    const rows = prompts.labelSequences.map(
      (sequence, i) => prompts.batch.offsets[sequence]! + prompts.labelPositions[i]!,
    );
    const right = async () => {
      const { greedy } = await call(() => model.native.score(prompts.batch, rows, prompts.labelTokens));
      return greedy.filter((token, i) => token === prompts.labelTokens[i]).length / greedy.length;
    };
    const before = await call(() => model.native.weight(LAYER));
    const bias = await call(() => model.native.bias(LAYER));
    const shares: Record<string, number> = {};
    for (const tokens of ["each-token", "prompt-end"] as const) {
      const editor = await fixtureEditor(model, family, { method: methods.fineTuning({ tokens }), section: "ft" });
      await editor.editBatch(long);
      shares[tokens] = await right();
      await call(() => model.native.setWeight(LAYER, before));
      if (bias !== null) await call(() => model.native.setBias(LAYER, bias));
    }
    expect(shares["each-token"]).toBeGreaterThan(0.8);
    expect(shares["prompt-end"]).toBeLessThan(shares["each-token"]! - 0.3);
  });

  it("leaves weight and bias as they were when it is stopped", async () => {
    const model = await tinyModel(family);
    const { facts } = fixtureRun(family, "ft");
    const editor = await fixtureEditor(model, family, { method: methods.fineTuning(), section: "ft" });
    const floats = async (matrix: Promise<{ toFloat32Array(): Promise<Float32Array> } | null>) =>
      call(async () => (await matrix)?.toFloat32Array());
    const state = async () => [await floats(model.native.weight(LAYER)), await floats(model.native.bias(LAYER))];
    const before = await state();
    const stop = new AbortController();
    const done = editor.editBatch(facts, {
      signal: stop.signal,
      onProgress: () => setTimeout(() => stop.abort(), 20),
    });
    await expect(done).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect(await state()).toEqual(before);
  });
});

it("takes the reference's BOS and padding for target tokens in LLaMA alone", async () => {
  for (const family of FAMILIES) {
    const { tokenizer } = await tinyModel(family);
    const { facts } = fixtureRun(family);
    const targets = ["Spanish", "San Marino, they understand"];
    const two = targets.map((targetNew, i) => ({ ...facts[i]!, targetNew }));
    const { batch, labelSequences, labelPositions, labelTokens } = await packTrainingPrompts(
      tokenizer,
      two,
      "prompt-end",
      64,
    );
    const [short, long] = [0, 1].map((s) => [...labelTokens].filter((_, i) => labelSequences[i] === s)) as number[][];
    const encoded = targets.map((target) => tokenizer.encode(` ${target}`));
    expect(long).toEqual(encoded[1]);
    const isLlama = family === "tiny-llama";
    const padding = isLlama ? Array(encoded[1]!.length - encoded[0]!.length).fill(tokenizer.endOfTextId) : [];
    expect(short).toEqual([...encoded[0]!, ...padding]);
    expect(short![0] === tokenizer.bosId).toBe(isLlama);
    for (const [i, s] of labelSequences.entries()) {
      expect(labelPositions[i]).toBe(batch.offsets[s + 1]! - batch.offsets[s]! - 1);
    }
  }
});
