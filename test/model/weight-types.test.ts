import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { optimizeValues } from "../../src/edit/values.js";
import type { LanguageModel } from "../../src/model/language-model.js";
import { loadModel } from "../../src/model/load.js";
import { addon, call } from "../../src/native/index.js";
import { bfloat16Checkpoint } from "../support/bfloat16.js";
import { expectWithin, relativeError } from "../support/close.js";
import { fixtureRun } from "../support/fixture-run.js";
import { FAMILIES, officialPath } from "../support/official.js";
import { temporaryDirectory } from "../support/temporary.js";

async function load(source: string, weights: "f32" | "bf16"): Promise<LanguageModel> {
  const model = await loadModel(source, { weights });
  onTestFinished(() => model.dispose());
  return model;
}

const PROMPT = "The capital of France is";
const logitsOf = async (model: LanguageModel) => (await model.logits(PROMPT)).logits;

describe.each(FAMILIES)("%s with its weights in bfloat16", (family) => {
  it("computes what the same numbers give in float32: logits, values, drifts", async () => {
    const directory = await bfloat16Checkpoint(family);
    const [wide, narrow] = [await load(directory, "f32"), await load(directory, "bf16")];
    expectWithin(relativeError(await logitsOf(narrow), await logitsOf(wide)), 1e-5);

    const { facts, contextTemplates, hyperparameters } = fixtureRun(family);
    const few = { ...hyperparameters, steps: 4 };
    const [expected, found] = await Promise.all(
      [wide, narrow].map(async (model) => {
        const { values } = await optimizeValues(model, facts.slice(0, 2), contextTemplates, few);
        return call(() => values.toFloat64Array());
      }),
    );
    expectWithin(relativeError(found!, expected!), 1e-4);

    const { width, feedForwardWidth } = wide.config;
    const drift = addon().createMatrix(
      Float64Array.from({ length: width * feedForwardWidth }, (_, i) => 0.05 * Math.sin(i)),
      width,
      feedForwardWidth,
    );
    for (const model of [wide, narrow]) await call(() => model.native.setDrift(3, drift));
    expect(await call(() => narrow.native.weightChange(3))).toEqual(await call(() => wide.native.weightChange(3)));
    expect((await call(() => narrow.native.weightChange(2))).changed).toBe(0);
    expectWithin(relativeError(await logitsOf(narrow), await logitsOf(wide)), 1e-5);

    const saved = path.join(await temporaryDirectory(), "edited");
    await narrow.save(saved, { dtype: "f32" });
    expectWithin(relativeError(await logitsOf(await load(saved, "f32")), await logitsOf(wide)), 1e-6);
  });

  it("rounds a checkpoint in float32, and is not taken for the model it was", async () => {
    const source = officialPath(family, "model");
    const [wide, narrow] = [await load(source, "f32"), await load(source, "bf16")];
    const rounding = relativeError(await logitsOf(narrow), await logitsOf(wide));
    expect(rounding).toBeGreaterThan(1e-4);
    expect(rounding).toBeLessThan(0.1);
    expect(await narrow.computedHash()).not.toBe(await wide.computedHash());
    expect(await narrow.contentHash()).toBe(await wide.contentHash());
  });
});
