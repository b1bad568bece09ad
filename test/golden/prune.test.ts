// PRUNE: MEMIT's weights after the last batch, and their drift with its singular values compressed.
// Witness: test/fixtures/official/*/expected/memit_prune.* (see the README there), made by the published implementation.

import { describe, expect, it } from "vitest";
import { compressSingularValues, KeySpace, LayerEditor } from "../../src/engine.js";
import { expectWithin, largestDifference, relativeError } from "../support/close.js";
import { plainCompression, singularValues } from "../support/jacobi.js";
import { FAMILIES, officialJson } from "../support/official.js";
import { difference } from "../support/plain.js";
import { deltaOf, plainOf } from "../support/problems.js";
import {
  addedInFloat32,
  BIT_FOR_BIT,
  referenceLayer,
  referenceRun,
  rounding,
  weightName,
} from "../support/reference.js";
import { turned } from "../support/tensors.js";

interface Spectra {
  batches: { prune?: Record<string, Spectrum> }[];
}
interface Spectrum {
  max_singular_value_of_original: number;
  singular_values_of_update: number[];
  adjusted_singular_values: number[];
}

const LAYER = 3; // the files here hold the weights of no other

describe.each(FAMILIES)("PRUNE on %s", (family) => {
  it.each(["dual", "primal"] as const)(
    "gives the reference's weights, before and after, in the %s form",
    async (form) => {
      const { hyperparameters, batches } = await referenceRun(family, "memit_prune");
      const { covariance, original } = await referenceLayer(family, LAYER);
      const keySpace = await KeySpace.fromCovariance(covariance);
      const editor = await LayerEditor.create(keySpace, { valueWidth: original.rows, memory: "none" });
      let edited = original;
      for (const batch of batches) {
        const { keys, residuals } = batch.layer(LAYER);
        const weight = hyperparameters.mom2_update_weight;
        await editor.update({ keys: turned(keys), residuals: turned(residuals), weight, form });
        edited = addedInFloat32(edited, await deltaOf(editor));
      }
      const { published } = batches.at(-1)!.layer(LAYER);
      const drift = difference(published("weight_before_prune")!, original);
      expectWithin(relativeError(difference(edited, original).values, drift.values), BIT_FOR_BIT);

      const found = await plainOf(compressSingularValues(drift, original));
      const exact = plainCompression(drift, original);
      expectWithin(relativeError(found.values, exact.compressed.values), 1e-9);

      // The published singular values are float32, and so is what is made of them.
      const bound = rounding(family, "memit_prune");
      const truth = officialJson<Spectra>(family, "expected", "memit_prune.json").batches.at(-1)!.prune![
        weightName(family, LAYER)
      ]!;
      const limit = truth.max_singular_value_of_original;
      const within = (values: number[], wanted: number[]) =>
        expectWithin(largestDifference(values, wanted) / limit, bound);
      expectWithin(exact.limit / limit - 1, bound);
      within(singularValues(drift).values, truth.singular_values_of_update);
      within(singularValues(found).values, truth.adjusted_singular_values);
      expect(truth.singular_values_of_update[0]).toBeGreaterThan(limit); // there is something to compress

      // The published evaluation adds the compressed drift to the edited weight, not to the original (reference, Q3).
      const added = difference(addedInFloat32(published("weight_before_prune")!, found), original);
      expectWithin(relativeError(added.values, difference(published("weight")!, original).values), bound);
    },
  );
});
