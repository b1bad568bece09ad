// The reference's keys, residuals and second moments through the engine: drift, losses and queue must be the reference's.
// Witness: test/fixtures/official/*/expected/lyaplock.* (see the README there), made by the published implementation.

import { describe, it } from "vitest";
import { KeySpace, LayerEditor, VirtualQueue } from "../../src/engine.js";
import { expectWithin, relativeError } from "../support/close.js";
import { FAMILIES } from "../support/official.js";
import { difference, PlainLyapLock } from "../support/plain.js";
import { driftOf } from "../support/problems.js";
import { EDITED_LAYERS, referenceLayer, referenceRun } from "../support/reference.js";
import { turned } from "../support/tensors.js";

interface ExpectedLayer {
  effective_weight: number;
  a: number;
  Z: number;
  D_base: number;
  threshold: number;
  preservation_loss: number;
  update_norm: number;
}

// The reference rounds W0·C and the weights to float32 between batches: about 1e-6 (fixtures README, "preserved").
const ROUNDED = 1e-5;
// Against the same formulas in float64 there is no such rounding.
const EXACT = 1e-9;

describe.each(FAMILIES)("LyapLock on %s", (family) => {
  it.each(EDITED_LAYERS)("reproduces drift, losses and queue of layer %i, in either form", async (layer) => {
    const { covariance, original } = await referenceLayer(family, layer);
    const { hyperparameters, run, batches } = await referenceRun<ExpectedLayer>(family, "lyaplock");
    const lambda = hyperparameters.mom2_update_weight;
    const keySpace = await KeySpace.fromCovariance(covariance);
    const editors = {
      dual: await LayerEditor.create(keySpace, { valueWidth: original.rows }),
      primal: await LayerEditor.create(keySpace, { valueWidth: original.rows }),
    };
    const naive = new PlainLyapLock(original, covariance, lambda, run.alpha);
    let queue = VirtualQueue.create({ alpha: run.alpha });

    for (const batch of batches) {
      const { keys, residuals, expected: truth, published } = batch.layer(layer);
      const facts = { keys: turned(keys), residuals: turned(residuals) };
      const weight = queue.weight(lambda);
      const dual = await editors.dual.update({ ...facts, weight, form: "dual" });
      const primal = await editors.primal.update({ ...facts, weight, form: "primal" });
      queue = queue.after(dual.preservationLoss);

      expectWithin(weight / truth.effective_weight - 1, ROUNDED);
      expectWithin(dual.preservationLoss / truth.preservation_loss - 1, ROUNDED);
      expectWithin(dual.updateNorm / truth.update_norm - 1, ROUNDED);
      expectWithin(queue.threshold / truth.threshold - 1, ROUNDED);
      expectWithin(queue.queue / (truth.a * truth.Z) - 1, ROUNDED);
      expectWithin(dual.solveResidual, 1e-12);
      expectWithin(primal.solveResidual, 1e-12);

      const drift = await driftOf(editors.dual);
      expectWithin(relativeError(drift, difference(published("weight")!, original).values), ROUNDED);

      const exact = naive.update(keys, residuals);
      expectWithin(relativeError(drift, exact.drift.values), EXACT);
      expectWithin(relativeError(await driftOf(editors.primal), exact.drift.values), EXACT);
      expectWithin(dual.preservationLoss / exact.preservationLoss - 1, EXACT);
      expectWithin(primal.preservationLoss / exact.preservationLoss - 1, EXACT);
      expectWithin(queue.queue / exact.queue - 1, EXACT);
    }
  });
});
