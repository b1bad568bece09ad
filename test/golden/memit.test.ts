// MEMIT and MEMIT in sequence: the reference's keys and residuals through the engine must give the reference's weights.
// Witness: test/fixtures/official/*/expected/memit{,_seq}.* (see the README there), made by the published implementation.

import { describe, expect, it } from "vitest";
import { beginKeys } from "../../src/edit/keys.js";
import { KeySpace, LayerEditor } from "../../src/engine.js";
import { call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { fixtureRun } from "../support/fixture-run.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES } from "../support/official.js";
import { difference, dividedBy, norm, product, scaled, sum, transposed, zeros } from "../support/plain.js";
import { deltaOf, driftOf } from "../support/problems.js";
import {
  addedInFloat32,
  BIT_FOR_BIT,
  EDITED_LAYERS,
  referenceLayer,
  referenceRun,
  rounding,
} from "../support/reference.js";
import { turned } from "../support/tensors.js";

const FORMS = ["dual", "primal"] as const;
// Against the same formulas in float64.
const EXACT = 1e-9;

describe.each(FAMILIES)("MEMIT on %s", (family) => {
  it.each(FORMS)("gives the reference's weights to the bit, in the %s form", async (form) => {
    const { batches, hyperparameters } = await referenceRun<{ update_norm: number }>(family, "memit");
    const lambda = hyperparameters.mom2_update_weight;
    let compared = 0;
    for (const layer of EDITED_LAYERS) {
      const { covariance, original } = await referenceLayer(family, layer);
      const keySpace = await KeySpace.fromCovariance(covariance);
      const editor = await LayerEditor.create(keySpace, { valueWidth: original.rows, memory: "none" });
      let [weight, exact] = [original, zeros(original.rows, original.cols)];
      for (const { layer: of } of batches) {
        const { keys, residuals, expected, published } = of(layer);
        await editor.update({ keys: turned(keys), residuals: turned(residuals), weight: lambda, form });
        const delta = await deltaOf(editor);
        expectWithin(norm(delta) / expected.update_norm - 1, EXACT);
        weight = addedInFloat32(weight, delta);
        const reached = published("weight");
        if (reached) {
          compared += 1;
          const [drift, wanted] = [difference(weight, original), difference(reached, original)];
          expectWithin(relativeError(drift.values, wanted.values), BIT_FOR_BIT);
        }
        const system = sum(product(keys, transposed(keys)), scaled(lambda, covariance));
        exact = sum(exact, dividedBy(product(residuals, transposed(keys)), system));
        expectWithin(relativeError(await driftOf(editor), exact.values), EXACT);
      }
    }
    expect(compared).toBe(2); // after batches 1 and 3
  });
});

// The reference's memory holds the keys of a batch read again once it is in the weights of all layers. They are those the
// batch was solved with: a key depends on the layers below alone, and those are edited first. (The last test here reads
// them again.) So the files have all that is needed, also for the family of which no model runs.
describe.each(FAMILIES)("MEMIT in sequence on %s", (family) => {
  it.each(FORMS)("gives the reference's weights up to its rounding, in the %s form", async (form) => {
    const { batches, hyperparameters } = await referenceRun<{ update_norm: number }>(family, "memit_seq");
    const lambda = hyperparameters.mom2_update_weight;
    // Float32 in the reference are the weights, and the memory: "to 6e-7" (fixtures README).
    const bound = rounding(family, "memit_seq");
    let compared = 0;
    for (const layer of EDITED_LAYERS) {
      const { covariance, original } = await referenceLayer(family, layer);
      const keySpace = await KeySpace.fromCovariance(covariance);
      const editor = await LayerEditor.create(keySpace, { valueWidth: original.rows, memory: "keys" });
      let [exact, past] = [zeros(original.rows, original.cols), zeros(original.cols, original.cols)];
      for (const { layer: of } of batches) {
        const { keys, residuals, expected, published } = of(layer);
        const facts = { keys: turned(keys), residuals: turned(residuals) };
        await editor.update({ ...facts, weight: lambda, form });
        await editor.remember(facts);
        expectWithin(norm(await deltaOf(editor)) / expected.update_norm - 1, bound);
        const reached = published("weight");
        if (reached) {
          compared += 1;
          expectWithin(relativeError(await driftOf(editor), difference(reached, original).values), bound);
        }
        past = sum(past, product(keys, transposed(keys)));
        const system = sum(past, scaled(lambda, covariance));
        exact = sum(exact, dividedBy(product(residuals, transposed(keys)), system));
        expectWithin(relativeError(await driftOf(editor), exact.values), EXACT);
      }
      expect(editor.facts).toBe(12);
    }
    expect(compared).toBe(1); // after batch 3
  });
});

describe.each(FAMILIES)("the keys of a batch that %s has taken in", (family) => {
  it("are those it was solved with", async () => {
    const model = await tinyModel(family);
    const { facts, batchSize, contextTemplates } = fixtureRun(family);
    const { batches, hyperparameters } = await referenceRun(family, "memit_seq");
    const first = batches[0]!;
    const lambda = hyperparameters.mom2_update_weight;
    for (const layer of EDITED_LAYERS) {
      const { covariance, original } = await referenceLayer(family, layer);
      const keySpace = await KeySpace.fromCovariance(covariance);
      const editor = await LayerEditor.create(keySpace, { valueWidth: original.rows, memory: "keys" });
      const { keys, residuals } = first.layer(layer);
      await editor.update({ keys: turned(keys), residuals: turned(residuals), weight: lambda });
      using drift = await editor.drift();
      await call(() => model.native.setDrift(layer, drift.native));
    }
    const pass = await beginKeys(model, facts.slice(0, batchSize), contextTemplates);
    for (const layer of EDITED_LAYERS) {
      const again = await call(() => pass.keys(layer));
      const { keys } = first.layer(layer);
      expectWithin(relativeError(await call(() => again.toFloat64Array()), turned(keys).values), 1e-5);
    }
  });
});
