// RECT: the reference's updates through the engine's mask must leave the reference's elements, and its weights.
// Witness: test/fixtures/official/*/expected/memit_rect.* (see the README there), made by the published implementation.

import { describe, expect, it } from "vitest";
import { beginKeys } from "../../src/edit/keys.js";
import { KeySpace, keepTopShare, LayerEditor } from "../../src/engine.js";
import { call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { fixtureRun } from "../support/fixture-run.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES, type Family, officialJson } from "../support/official.js";
import { difference, norm, type Plain } from "../support/plain.js";
import { deltaOf, plainOf } from "../support/problems.js";
import { addedInFloat32, BIT_FOR_BIT, EDITED_LAYERS, referenceLayer, referenceRun } from "../support/reference.js";
import { turned } from "../support/tensors.js";

interface Masks {
  batches: { rect: { layer: number; threshold: number; kept: number; nearest_relative_gap: number }[] }[];
}

const CASES = EDITED_LAYERS.flatMap((layer) => (["dual", "primal"] as const).map((form) => ({ layer, form })));

describe.each(FAMILIES)("RECT on %s", (family) => {
  it.each(CASES)("keeps the reference's elements of layer $layer, after the $form form", async ({ layer, form }) => {
    const { original, editor, run } = await begun(family, layer);
    const masks = officialJson<Masks>(family, "expected", "memit_rect.json").batches;
    let weight = original;
    let compared = 0;
    for (const [b, batch] of run.batches.entries()) {
      const { keys, residuals, expected, published } = batch.layer(layer);
      await editor.update({ keys: turned(keys), residuals: turned(residuals), weight: run.lambda, form });
      const delta = await deltaOf(editor);
      expectWithin(norm(delta) / expected.update_norm - 1, 1e-9); // before the mask
      const kept = await plainOf(keepTopShare(delta, weight));

      const truth = masks[b]!.rect.find((mask) => mask.layer === layer)!;
      const changes = delta.values.map((x, i) => Math.abs(x / (weight.values[i]! + 1e-8)));
      const least = changes.filter((_, i) => kept.values[i] !== 0).sort()[0]!;
      expect(kept.values.filter((x) => x !== 0).length).toBe(truth.kept);
      expectWithin(least / truth.threshold - 1, truth.nearest_relative_gap / 2, "the least that was kept");
      expect(kept.values).toEqual(delta.values.map((x, i) => (changes[i]! >= least ? x : 0)));

      const reached = published("weight");
      const before = weight;
      weight = addedInFloat32(weight, kept);
      if (reached) {
        compared += 1;
        if (b === 0) expect(changed(reached, before)).toEqual(changed(weight, before));
        expectWithin(
          relativeError(difference(weight, original).values, difference(reached, original).values),
          BIT_FOR_BIT,
        );
      }
    }
    expect(compared).toBe(layer === 3 ? 2 : 0); // after batches 1 and 3
  });
});

describe.each(FAMILIES)("a batch of RECT on %s", (family) => {
  it("is masked at its end: the layers above see the whole update", async () => {
    const model = await tinyModel(family);
    const { facts, batchSize, contextTemplates } = fixtureRun(family);
    const [below, above] = [2, 3];
    const { original, editor, run } = await begun(family, below);
    const { keys, residuals } = run.batches[0]!.layer(below);
    await editor.update({ keys: turned(keys), residuals: turned(residuals), weight: run.lambda });
    using whole = await editor.delta();
    using masked = await keepTopShare(whole, original);
    const published = turned(run.batches[0]!.layer(above).keys).values;
    const error = async ({ native }: typeof whole) => {
      await call(() => model.native.setDrift(below, native));
      const pass = await beginKeys(model, facts.slice(0, batchSize), contextTemplates);
      const seen = await call(() => pass.keys(above));
      return relativeError(await call(() => seen.toFloat64Array()), published);
    };
    expectWithin(await error(whole), 1e-5);
    expect(await error(masked)).toBeGreaterThan(1e-2);
  });
});

async function begun(family: Family, layer: number) {
  const { batches, hyperparameters } = await referenceRun<{ update_norm: number }>(family, "memit_rect");
  const { covariance, original } = await referenceLayer(family, layer);
  const keySpace = await KeySpace.fromCovariance(covariance);
  const editor = await LayerEditor.create(keySpace, { valueWidth: original.rows, memory: "none" });
  return { original, editor, run: { batches, lambda: hyperparameters.mom2_update_weight } };
}

/** Which elements differ. */
const changed = (weight: Plain, before: Plain): boolean[] =>
  Array.from(weight.values, (x, i) => x !== before.values[i]);
