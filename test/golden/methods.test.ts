// Every method that is solved layer by layer, three batches from end to end with our own values, against the reference's run.
// Witness: test/fixtures/official/*/expected/{memit,memit_seq,memit_rect,memit_prune,alphaedit,sensitivity}.* (see the README there).

import { describe, expect, it } from "vitest";
import { type EditingMethod, type Matrices, methods } from "../../src/edit/methods/index.js";
import type { LayerReport } from "../../src/edit/report.js";
import { call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { fixtureEditor, fixtureRun } from "../support/fixture-run.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES, officialPath } from "../support/official.js";
import { EDITED_LAYERS, rounding } from "../support/reference.js";
import { readTensors, turned } from "../support/tensors.js";

type Published = "memit" | "memit_seq" | "memit_rect" | "memit_prune" | "alphaedit";

const published: [Published, EditingMethod][] = [
  ["memit", methods.memit()],
  ["memit_seq", methods.memitSequential()],
  ["memit_rect", methods.rect()],
  ["memit_prune", methods.prune({ addsToEdited: true })],
  ["alphaedit", methods.alphaedit()],
];

describe.each(FAMILIES)("%s", (family) => {
  it.each(published)("ends with the reference's weights after %s", async (name, method) => {
    const model = await tinyModel(family);
    const { facts, batchSize } = fixtureRun(family, name);
    const editor = await fixtureEditor(model, family, { method, section: name });
    const tensors = await readTensors(officialPath(family, "expected", `${name}.safetensors`));
    const originals = await editor.weights();
    // Ten times what rounding alone did (sensitivity.json).
    const bound = Math.min(10 * rounding(family, name), 1e-2);
    let compared = 0;
    const compare = async (key: (layer: number) => string) => {
      const weights = await editor.weights();
      for (const layer of EDITED_LAYERS) {
        const stored = tensors.get(key(layer));
        if (stored === undefined) continue;
        const wanted = stored.rows === model.config.width ? stored.values : turned(stored).values;
        const original = await call(() => originals.get(layer)!.toFloat64Array());
        const weight = await call(() => weights.get(layer)!.toFloat64Array());
        const drift = (of: ArrayLike<number>) => original.map((w, i) => of[i]! - w);
        expectWithin(relativeError(drift(weight), drift(wanted)), bound, key(layer));
        compared += 1;
      }
    };
    const after = name === "memit_prune" ? "weight_before_prune" : "weight";
    for await (const { batch } of editor.edit(facts, { batchSize })) {
      await compare((layer) => `batch.${batch}.layer.${layer}.${after}`);
    }
    const finished = await editor.finish();
    if (name === "memit_prune") await compare((layer) => `batch.3.layer.${layer}.weight`);
    expect(finished.length).toBe(name === "memit_prune" ? EDITED_LAYERS.length : 0);
    expect(compared).toBeGreaterThan(0);
  });
});

const resumable: [string, EditingMethod][] = [
  ["memit", methods.memit()],
  ["memit-sequential", methods.memitSequential()],
  ["alphaedit", methods.alphaedit()],
  ["rect", methods.rect()],
  ["prune", methods.prune()],
  ["emmet", methods.emmet()],
  ["lyaplock", methods.lyaplock({ alpha: 1.5 })],
  ["lyaplock with memit", methods.lyaplock({ alpha: 1.5, base: "memit" })],
  ["lyaplock with rect", methods.lyaplock({ alpha: 1.5, base: "rect" })],
  ["lyaplock with prune", methods.lyaplock({ alpha: 1.5, base: "prune" })],
  ["lyaplock with alphaedit", methods.lyaplock({ alpha: 1.5, base: "alphaedit" })],
];

describe.each(resumable)("%s", (_, method) => {
  const family = "tiny-llama";
  // Its hyperparameters have a threshold for the null space that suits the tiny model.
  const section = "alphaedit";

  it("goes on to the same bits after it was put down and taken up again", async () => {
    const { facts, batchSize } = fixtureRun(family);
    const batches = [0, 1, 2].map((b) => facts.slice(b * batchSize, (b + 1) * batchSize));
    const whole = await fixtureEditor(await tinyModel(family), family, { method, section });
    const ledger: Matrices[] = [];
    for (const batch of batches.slice(0, 2)) {
      await whole.editBatch(batch);
      ledger.push(await whole.ledgerRows());
    }
    const state = JSON.parse(JSON.stringify(await whole.state()));
    const [weights, matrices] = [await whole.weights(), await whole.matrices()];

    const resumed = await fixtureEditor(await tinyModel(family), family, { method, section });
    const rows = async function* () {
      yield* ledger;
    };
    await resumed.restore(state, rows(), matrices, weights);
    const [straight, again] = [await whole.editBatch(batches[2]!), await resumed.editBatch(batches[2]!)];
    expect({ ...again, seconds: null }).toEqual({ ...straight, seconds: null });
    expect(await resumed.finish()).toEqual(await whole.finish());
    for (const [layer, weight] of await whole.weights()) {
      const other = (await resumed.weights()).get(layer)!;
      expect(await call(() => other.toFloat32Array())).toEqual(await call(() => weight.toFloat32Array()));
    }
  });

  it("reports the preservation loss of the weights as they are", async () => {
    const model = await tinyModel(family);
    const { facts, batchSize } = fixtureRun(family);
    const editor = await fixtureEditor(model, family, { method, section });
    const moments = await readTensors(officialPath(family, "statistics", "layer-3.safetensors"));
    const covariance = moments.get("second_moment")!;
    const original = await call(() => model.native.originalWeight(3));
    const before = await call(() => original.toFloat64Array());
    let reports: LayerReport[] = [];
    for await (const { layers } of editor.edit(facts, { batchSize })) reports = layers;
    const finished = await editor.finish();
    if (finished.length > 0) reports = finished;
    const weight = await call(async () => (await editor.weights()).get(3)!.toFloat64Array());
    const d = covariance.rows;
    let loss = 0;
    for (let row = 0; row < model.config.width; row++) {
      const drift = weight.subarray(row * d, (row + 1) * d).map((w, i) => w - before[row * d + i]!);
      for (let i = 0; i < d; i++) {
        for (let j = 0; j < d; j++) loss += drift[i]! * covariance.values[i * d + j]! * drift[j]!;
      }
    }
    const { preservationLoss, baseLoss } = reports.find(({ layer }) => layer === 3)!;
    expectWithin(preservationLoss / loss - 1, 1e-5);
    expect(baseLoss).toBeGreaterThan(0);
  });
});
