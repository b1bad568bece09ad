// ROME: three facts, one after the other, each by one rank-one update of layer 3: with the reference's vectors, and from end to end
// with our own.
// Witness: test/fixtures/official/*/expected/rome.* (see the README there), made by the published implementation.

import { describe, expect, it } from "vitest";
import { readSecondMoments } from "../../src/data/second-moments-files.js";
import { beginKeys } from "../../src/edit/keys.js";
import { methods } from "../../src/edit/methods/index.js";
import { SequentialEditor } from "../../src/edit/sequential-editor.js";
import { optimizeValues } from "../../src/edit/values.js";
import { KeySpace, rankOneUpdate } from "../../src/engine.js";
import type { NativeMatrix } from "../../src/native/addon.js";
import { call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { fixtureEditor, fixtureRun } from "../support/fixture-run.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES, type Family, officialJson, officialPath } from "../support/official.js";
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

describe.each(FAMILIES)("ROME from end to end on %s", (family) => {
  it("ends with the reference's weights, the facts of a batch one after the other", async () => {
    const bound = Math.min(10 * rounding(family, "rome"), 1e-2);
    const edit = await edits(family);
    for (const batchSize of [1, 3]) {
      const model = await tinyModel(family);
      const { facts } = fixtureRun(family, "rome");
      const editor = await fixtureEditor(model, family, { method: methods.rome(), section: "rome" });
      const original = await plain64(await call(() => model.native.originalWeight(LAYER)));
      let compared = 0;
      for await (const { edits: n, layers } of editor.edit(facts.slice(0, 3), { batchSize })) {
        const { reached } = edit(n, original);
        if (reached === undefined) continue;
        const weight = await plain64(await call(() => model.native.weight(LAYER)));
        const drift = difference(weight, original);
        expectWithin(relativeError(drift.values, difference(reached, original).values), bound, `edit ${n}`);
        if (batchSize === 3) expectWithin(layers[0]!.updateNorm / norm(drift) - 1, 1e-5);
        compared += 1;
      }
      expect(compared).toBe(batchSize === 1 ? 2 : 1);
    }
  });

  it("finds the reference's vectors, which the feed-forward part's output begins", async () => {
    const model = await tinyModel(family);
    const { facts, hyperparameters, contextTemplates } = fixtureRun(family, "rome");
    const tensors = await readTensors(officialPath(family, "expected", "rome.safetensors"));
    const options = { place: "feed-forward", trajectory: true } as const;
    const found = await optimizeValues(model, [facts[0]!], contextTemplates, hyperparameters, options);
    const { losses, deltas } = found.trajectories![0]!;
    const bound = Math.min(10 * rounding(family, "rome"), 1e-2);
    const compare = async (what: string, ours: ArrayLike<number>) =>
      expectWithin(relativeError(ours, tensors.get(`edit.1.${what}`)!.values), bound, what);
    await compare("target_init", await call(() => found.initial.toFloat64Array()));
    await compare("value", await call(() => found.values.toFloat64Array()));
    await compare("delta", deltas.subarray(-model.config.width));
    const { edits: published } = officialJson<Published>(family, "expected", "rome.json");
    expectWithin(relativeError(losses, published[0]!.values[0]!.loss), 1e-5, "the losses");
  });

  it("goes along the mean key itself where hyperparameters say so", async () => {
    const model = await tinyModel(family);
    const { facts, hyperparameters, contextTemplates } = fixtureRun(family, "rome");
    const moments = await readSecondMoments(officialPath(family, "statistics"), [LAYER], model.config.feedForwardWidth);
    const editor = await SequentialEditor.create(model, {
      method: methods.rome(),
      moments,
      contextTemplates,
      hyperparameters: { ...hyperparameters, alongMeanKey: true },
    });
    const pass = await beginKeys(model, [facts[0]!], [contextTemplates.flat()]);
    const meanKey = await plain64(await call(() => pass.keys(LAYER)));
    await editor.editBatch([facts[0]!]);
    const drift = await plain64((await editor.drifts()).get(LAYER)!);
    // Every row of the drift is a multiple of the mean key.
    const along = product(drift, transposed(meanKey));
    const squared = entry(product(meanKey, transposed(meanKey)), 0, 0);
    expectWithin(relativeError(scaled(1 / squared, product(along, meanKey)).values, drift.values), 1e-9);
    expect(norm(drift)).toBeGreaterThan(0.1);
  });
});

it("ROME puts the weight back when it is stopped between two facts", async () => {
  const model = await tinyModel("tiny-llama");
  const { facts } = fixtureRun("tiny-llama", "rome");
  const editor = await fixtureEditor(model, "tiny-llama", { method: methods.rome(), section: "rome" });
  await editor.editBatch(facts.slice(0, 1));
  const before = await plain64(await call(() => model.native.weight(LAYER)));
  const stop = new AbortController();
  const seen: number[] = [];
  const onProgress = ({ facts: done }: { facts: number }) => {
    seen.push(done);
    if (done === 2) stop.abort();
  };
  await expect(editor.editBatch(facts.slice(1, 5), { signal: stop.signal, onProgress })).rejects.toMatchObject({
    code: "ERR_ABORTED",
  });
  expect(seen).toEqual([0, 1, 2]);
  expect(await plain64(await call(() => model.native.weight(LAYER)))).toEqual(before);
});

it("ROME and FT refuse more than one layer", async () => {
  const model = await tinyModel("tiny-gpt2");
  for (const method of [methods.rome(), methods.fineTuning()]) {
    const error = await fixtureEditor(model, "tiny-gpt2", { method }).catch((failure) => failure);
    expect(error).toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringContaining("edits one layer; received 2, 3, 4"),
    });
  }
});

interface Published {
  edits: { values: { loss: number[] }[] }[];
}

async function plain64(matrix: NativeMatrix): Promise<Plain> {
  return { rows: matrix.rows, cols: matrix.cols, values: await call(() => matrix.toFloat64Array()) };
}

const norm = ({ values }: Plain): number => Math.hypot(...values);

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
