// The reference's keys, residuals and second moments through the engine: drift, losses and queue must be the reference's.
// Witness: test/fixtures/official/*/expected/lyaplock.* (see the README there), made by the published implementation.

import { describe, it } from "vitest";
import { KeySpace, LayerEditor, VirtualQueue } from "../../src/engine.js";
import { expectWithin, relativeError } from "../support/close.js";
import { FAMILIES, type Family, officialJson, officialPath } from "../support/official.js";
import { PlainLyapLock } from "../support/plain.js";
import { readTensors, turned } from "../support/tensors.js";

interface ExpectedLayer {
  effective_weight: number;
  a: number;
  Z: number;
  D_base: number;
  threshold: number;
  preservation_loss: number;
  update_norm: number;
}
interface ExpectedBatch {
  batch: number;
  layers: Record<string, ExpectedLayer>;
}

const LAYERS = [2, 3, 4];
const BATCHES = [1, 2, 3];
// The reference rounds W0·C and the weights to float32 between batches: about 1e-6 (fixtures README, "preserved").
const ROUNDED = 1e-5;
// Against the same formulas in float64 there is no such rounding.
const EXACT = 1e-9;

describe.each(FAMILIES)("LyapLock on %s", (family) => {
  it.each(LAYERS)("reproduces drift, losses and queue of layer %i, in either form", async (layer) => {
    const { tensors, moments, original, run, expected } = await reference(family, layer);
    const keySpace = await KeySpace.fromCovariance(moments);
    const editors = {
      dual: await LayerEditor.create(keySpace, { valueWidth: original.rows }),
      primal: await LayerEditor.create(keySpace, { valueWidth: original.rows }),
    };
    const naive = new PlainLyapLock(original, moments, run.lambda, run.alpha);
    let queue = VirtualQueue.create({ alpha: run.alpha });

    for (const batch of BATCHES) {
      const columns = (name: string) => tensors.get(`batch.${batch}.layer.${layer}.${name}`)!;
      const facts = { keys: turned(columns("keys")), residuals: turned(columns("residuals")) };
      const weight = queue.weight(run.lambda);
      const dual = await editors.dual.update({ ...facts, weight, form: "dual" });
      const primal = await editors.primal.update({ ...facts, weight, form: "primal" });
      queue = queue.after(dual.preservationLoss);

      const truth = expected(batch);
      expectWithin(weight / truth.effective_weight - 1, ROUNDED);
      expectWithin(dual.preservationLoss / truth.preservation_loss - 1, ROUNDED);
      expectWithin(dual.updateNorm / truth.update_norm - 1, ROUNDED);
      expectWithin(queue.threshold / truth.threshold - 1, ROUNDED);
      expectWithin(queue.queue / (truth.a * truth.Z) - 1, ROUNDED);
      expectWithin(dual.solveResidual, 1e-12);
      expectWithin(primal.solveResidual, 1e-12);

      const drift = await valuesOf(editors.dual);
      const published = weightOf(columns("weight"), original.rows);
      expectWithin(
        relativeError(
          drift,
          published.values.map((w, i) => w - original.values[i]!),
        ),
        ROUNDED,
      );

      const exact = naive.update(columns("keys"), columns("residuals"));
      expectWithin(relativeError(drift, exact.drift.values), EXACT);
      expectWithin(relativeError(await valuesOf(editors.primal), exact.drift.values), EXACT);
      expectWithin(dual.preservationLoss / exact.preservationLoss - 1, EXACT);
      expectWithin(primal.preservationLoss / exact.preservationLoss - 1, EXACT);
      expectWithin(queue.queue / exact.queue - 1, EXACT);
    }
  });
});

async function reference(family: Family, layer: number) {
  const tensors = await readTensors(officialPath(family, "expected", "lyaplock.safetensors"));
  const moments = (await readTensors(officialPath(family, "statistics", `layer-${layer}.safetensors`))).get(
    "second_moment",
  )!;
  const model = await readTensors(officialPath(family, "model", "model.safetensors"));
  const name =
    family === "tiny-gpt2" ? `transformer.h.${layer}.mlp.c_proj.weight` : `model.layers.${layer}.mlp.down_proj.weight`;
  const hparams = officialJson<{ run: { alpha: number }; lyaplock: { mom2_update_weight: number } }>(
    family,
    "hparams.json",
  );
  const { batches } = officialJson<{ batches: ExpectedBatch[] }>(family, "expected", "lyaplock.json");
  return {
    tensors,
    moments,
    original: weightOf(model.get(name)!, 64),
    run: { alpha: hparams.run.alpha, lambda: hparams.lyaplock.mom2_update_weight },
    expected: (batch: number) => batches.find((candidate) => candidate.batch === batch)!.layers[layer]!,
  };
}

/** A checkpoint's weight as [m, d]: GPT-2 stores the transpose. */
function weightOf(stored: { rows: number; cols: number; values: Float64Array }, valueWidth: number) {
  return stored.rows === valueWidth ? stored : turned(stored);
}

async function valuesOf(editor: LayerEditor): Promise<Float64Array> {
  using drift = await editor.drift();
  return drift.toFloat64Array();
}
