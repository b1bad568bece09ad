// ROME: three facts, one after the other, each by one rank-one update of layer 3.
// Witness: test/fixtures/official/*/expected/rome.* (see the README there), made by the published implementation.

import { describe, expect, it } from "vitest";
import { beginKeys } from "../../src/edit/keys.js";
import { KeySpace, rankOneUpdate } from "../../src/engine.js";
import { call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { fixtureRun } from "../support/fixture-run.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES, type Family, officialPath } from "../support/official.js";
import { difference, dividedBy, entry, type Plain, product, scaled, transposed } from "../support/plain.js";
import { plainOf } from "../support/problems.js";
import { addedInFloat32, referenceLayer, rounding } from "../support/reference.js";
import { readTensors, turned } from "../support/tensors.js";

const LAYER = 3;
const EDITS = [1, 2, 3];

// In files alone there is no key averaged over contexts, but the direction C⁻¹ k̄ / ‖C⁻¹ k̄‖ is there: k̄ is C times it, up
// to a factor, which the update does not depend on.
describe.each(FAMILIES)("ROME on %s", (family) => {
  it("gives the reference's vectors and weights", async () => {
    const bound = rounding(family, "rome");
    const { covariance, original } = await referenceLayer(family, LAYER);
    const space = await KeySpace.fromCovariance(covariance);
    const edit = await edits(family);
    let weight = original;
    let compared = 0;
    for (const n of EDITS) {
      const { direction, right, key, residual, reached } = edit(n, original);
      const meanKey = product(direction, covariance);
      const update = await plainOf(rankOneUpdate(space, { meanKey, key, residual }));
      expectWithin(relativeError(update.values, product(transposed(right), direction).values), bound);
      const along = entry(product(direction, transposed(key)), 0, 0);
      const exact = scaled(1 / along, product(transposed(residual), direction));
      expectWithin(relativeError(update.values, exact.values), 1e-9);
      weight = addedInFloat32(weight, update);
      if (reached) {
        compared += 1;
        expectWithin(relativeError(difference(weight, original).values, difference(reached, original).values), bound);
      }
    }
    expect(compared).toBe(2); // after edits 1 and 3
  });
});

describe.each(FAMILIES)("ROME's keys on %s", (family) => {
  it("lead to the reference's vectors: a plain mean over contexts for one, the bare prompt for the other", async () => {
    const model = await tinyModel(family);
    const { facts, contextTemplates } = fixtureRun(family);
    const { covariance, original } = await referenceLayer(family, LAYER);
    const space = await KeySpace.fromCovariance(covariance);
    const edit = await edits(family);
    // The keys of a layer do not depend on its own weight, which is all that is edited.
    const keyOf = async (n: number, templates: string[]): Promise<Plain> => {
      const pass = await beginKeys(model, facts.slice(n - 1, n), [templates]);
      const keys = await call(() => pass.keys(LAYER));
      return { rows: keys.rows, cols: keys.cols, values: await call(() => keys.toFloat64Array()) };
    };
    for (const n of EDITS) {
      const { direction, right, key, residual } = edit(n, original);
      const bare = await keyOf(n, ["{}"]);
      expectWithin(relativeError(bare.values, key.values), 1e-5);
      const meanKey = await keyOf(n, contextTemplates.flat());
      const solved = dividedBy(meanKey, covariance); // k̄ C⁻¹
      const length = Math.sqrt(entry(product(solved, transposed(solved)), 0, 0));
      expectWithin(relativeError(scaled(1 / length, solved).values, direction.values), 1e-5);
      const update = await plainOf(rankOneUpdate(space, { meanKey, key: bare, residual }));
      expectWithin(relativeError(update.values, product(transposed(right), direction).values), 1e-5);
    }
  });
});

/** The three edits: vectors as rows, and the weight after one where the file holds it. */
async function edits(family: Family) {
  const tensors = await readTensors(officialPath(family, "expected", "rome.safetensors"));
  return (n: number, original: Plain) => {
    const row = (name: string): Plain => {
      const { values } = tensors.get(`edit.${n}.${name}`)!;
      return { rows: 1, cols: values.length, values };
    };
    const weight = tensors.get(`edit.${n}.layer.${LAYER}.weight`);
    return {
      direction: row("left_vector"),
      right: row("right_vector"),
      key: row("key"),
      residual: difference(row("value"), row("current_output")),
      reached: weight && weight.cols !== original.cols ? turned(weight) : weight,
    };
  };
}
