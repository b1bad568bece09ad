import { describe, expect, it } from "vitest";
import type { Hyperparameters } from "../../src/edit/hyperparameters.js";
import { optimizeValues } from "../../src/edit/values.js";
import { call } from "../../src/native/index.js";
import { expectWithin } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { fixtureRun } from "../support/fixture-run.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES } from "../support/official.js";

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);
const norm = (a: ArrayLike<number>) => Math.sqrt(dot(a, a));

describe.each(FAMILIES)("the value of a fact, on %s", (family) => {
  const { facts, contextTemplates, hyperparameters } = fixtureRun(family);
  const optimize = async (changes: Partial<Hyperparameters>, some = facts.slice(0, 3)) => {
    const model = await tinyModel(family);
    return optimizeValues(model, some, contextTemplates, { ...hyperparameters, ...changes }, { trajectory: true });
  };

  // Above the last layer there is no attention: a value there is read only where the prompt ends with the subject.
  const ending = facts.slice(0, 3).map((fact) => ({ ...fact, prompt: "This is about {}" }));
  it.each([
    [0, facts.slice(0, 3)],
    [1, facts.slice(3, 6)],
    [4, facts.slice(0, 3)],
    [5, ending],
  ])("has a gradient that foretells how the loss changes, at layer %i", async (layer, some) => {
    // Two forward passes with one small step between: loss(δ) − loss(0) = g(0)·δ + O(δ²).
    const { trajectories } = await optimize({ layers: [layer], steps: 2, learningRate: 2e-3, weightDecay: 0 }, some);
    for (const { losses, gradients, deltas } of trajectories!) {
      const [change, foretold] = [losses[1]! - losses[0]!, dot(gradients, deltas)];
      expect(foretold).toBeLessThan(0); // Adam goes down
      expectWithin(change / foretold - 1, 0.05, `${change} where ${foretold} was foretold; relative error`);
    }
  });

  it("stays within its clamp after every step", async () => {
    const found = await optimize({ clampNormFactor: 0.05, learningRate: 0.5 });
    const initial = await call(() => found.initial.toFloat64Array());
    const width = initial.length / 3;
    for (const [i, { deltas }] of found.trajectories!.entries()) {
      const limit = 0.05 * norm(initial.subarray(i * width, (i + 1) * width));
      for (let step = 0; step < deltas.length / width; step++) {
        expect(norm(deltas.subarray(step * width, (step + 1) * width))).toBeLessThanOrEqual(limit * (1 + 1e-6));
      }
      expect(norm(deltas.subarray(-width))).toBeGreaterThan(0.99 * limit); // it does bind
    }
  });

  it("is the initial one where one pass is allowed", async () => {
    const { values, initial, iterations } = await optimize({ steps: 1 });
    expect(iterations).toEqual(Int32Array.of(1, 1, 1));
    expect(await call(() => values.toFloat32Array())).toEqual(await call(() => initial.toFloat32Array()));
  });

  it("is left alone from the pass on in which its loss is low enough", async () => {
    const generous = { learningRate: 0.5, clampNormFactor: 4, steps: 40 };
    const { iterations, losses, trajectories } = await optimize(generous, facts);
    const stopped = iterations.findIndex((count) => count < 40);
    expect(stopped).toBeGreaterThanOrEqual(0);
    expect(losses[stopped]).toBeLessThan(0.05);
    expect(trajectories![stopped]!.losses.slice(0, -1).every((loss) => loss >= 0.05)).toBe(true);
  });
});

describe("value optimisation", () => {
  it("names a layer that is not there", async () => {
    const model = await tinyModel("tiny-llama");
    const { facts, contextTemplates, hyperparameters } = fixtureRun("tiny-llama");
    const work = optimizeValues(model, facts.slice(0, 1), contextTemplates, { ...hyperparameters, layers: [6] });
    await expectRejection(work, "ERR_INVALID_ARGUMENT", "no block 6");
  });

  it("says which loss is no number", async () => {
    const model = await tinyModel("tiny-llama");
    const { facts, contextTemplates, hyperparameters } = fixtureRun("tiny-llama");
    const overflowing = { ...hyperparameters, learningRate: 3e38, clampNormFactor: 3e38 };
    await expectRejection(
      optimizeValues(model, facts.slice(0, 2), contextTemplates, overflowing),
      "ERR_NOT_FINITE",
      "fact",
      "learning rate",
    );
  });
});
