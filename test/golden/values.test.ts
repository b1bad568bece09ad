// Value optimisation against the reference: prompts, lookups, labels, and every step of the trajectory.
// Witness: test/fixtures/official/*/expected/compute_z.* (see the README there).

import { describe, expect, it } from "vitest";
import { valuePrompts } from "../../src/edit/prompts.js";
import { optimizeValues } from "../../src/edit/values.js";
import { call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { fixtureRun } from "../support/fixture-run.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES, officialJson, officialPath } from "../support/official.js";
import { readTensors } from "../support/tensors.js";

interface Expected {
  index: number;
  case_id: number;
  token_ids: number[][];
  lookup_indices: number[];
  target_ids: number[];
  target_positions: number[][];
  iterations: number;
  loss: number[];
  nll: number[];
  kl: number[];
}
interface Sensitivity {
  lyaplock: { values: Record<string, number> };
}

describe.each(FAMILIES)("values on %s", (family) => {
  const expected = officialJson<Expected[]>(family, "expected", "compute_z.json");

  it("have the reference's prompts, lookup positions and labels", async () => {
    const { tokenizer } = await tinyModel(family);
    const { facts, contextTemplates } = fixtureRun(family);
    for (const truth of expected) {
      const fact = facts[truth.index]!;
      expect(fact.caseId).toBe(truth.case_id);
      const { rewriting, divergence, target } = valuePrompts(tokenizer, fact, contextTemplates);
      const prompts = [...rewriting, divergence];
      expect(target).toEqual(truth.target_ids);
      expect(prompts.map(({ tokens }) => tokens)).toEqual(truth.token_ids);
      expect(prompts.map(({ lookup }) => lookup)).toEqual(truth.lookup_indices);
      const labels = rewriting.map(({ tokens }) => target.map((_, j) => tokens.length - target.length + j));
      expect(labels).toEqual(truth.target_positions.filter((positions) => positions.length > 0));
    }
  });

  it("go the reference's way, step by step", async () => {
    const model = await tinyModel(family);
    const { facts, contextTemplates, hyperparameters } = fixtureRun(family);
    const batch = expected.map(({ index }) => facts[index]!);
    const found = await optimizeValues(model, batch, contextTemplates, hyperparameters, { trajectory: true });
    const tensors = await readTensors(officialPath(family, "expected", "compute_z.safetensors"));
    const rounding = officialJson<Sensitivity>(family, "expected", "sensitivity.json").lyaplock.values[
      "batch.1.values"
    ]!;
    const bound = Math.min(10 * rounding, 1e-3);
    const [values, initial] = await Promise.all(
      [found.values, found.initial].map((matrix) => call(() => matrix.toFloat64Array())),
    );
    for (const [i, truth] of expected.entries()) {
      const of = (name: string) => tensors.get(`${name}.${truth.index}`)!.values;
      const row = (matrix: Float64Array) => matrix.subarray(i * model.config.width, (i + 1) * model.config.width);
      const { losses, gradients, deltas } = found.trajectories![i]!;
      expect(found.iterations[i]).toBe(truth.iterations);
      expect(losses.length).toBe(truth.loss.length);
      for (const [step, loss] of truth.loss.entries()) {
        // Relative to a loss of order one: late losses are small differences of rounded sums.
        expectWithin((losses[step]! - loss) / Math.max(1, loss), bound, `loss ${step} of fact ${i}`);
      }
      expectWithin(found.likelihoodLosses[i]! - truth.nll.at(-1)!, bound, `likelihood of fact ${i}`);
      expectWithin(found.divergences[i]! - truth.kl.at(-1)!, bound, `divergence of fact ${i}`);
      expectWithin(relativeError(gradients, of("gradients")), bound, `gradients of fact ${i}`);
      expectWithin(relativeError(deltas, of("deltas")), bound, `deltas of fact ${i}`);
      expectWithin(relativeError(row(initial!), of("target_init")), bound, `initial value of fact ${i}`);
      expectWithin(relativeError(row(values!), of("z")), bound, `value of fact ${i}`);
    }
  });

  it("do not depend on what else is in the batch", async () => {
    const model = await tinyModel(family);
    const { facts, contextTemplates, hyperparameters } = fixtureRun(family);
    const valuesOf = async (batch: typeof facts) => {
      const { values } = await optimizeValues(model, batch, contextTemplates, hyperparameters);
      return call(() => values.toFloat64Array());
    };
    const together = await valuesOf(facts.slice(0, 5));
    const alone = await valuesOf([facts[3]!]);
    const { width } = model.config;
    expectWithin(relativeError(together.subarray(3 * width, 4 * width), alone), 1e-4);
  });
});
