// What every editing method must do, a user's own no less: given inside its `describe`.

import { expect, it } from "vitest";
import type { EditingMethod, Matrices } from "../../src/edit/methods/index.js";
import type { LayerReport } from "../../src/edit/report.js";
import { call } from "../../src/native/index.js";
import { expectWithin } from "./close.js";
import { fixtureEditor, fixtureRun } from "./fixture-run.js";
import { tinyModel } from "./model.js";
import { type Family, officialPath } from "./official.js";
import { readTensors } from "./tensors.js";

/**
 * @param section - Of the method's hyperparameters, as the fixtures' hparams.json names it: by default AlphaEdit's, which have a
 *   threshold for the null space that suits the tiny model.
 */
export function describeMethod(
  method: EditingMethod,
  { section = "alphaedit", family = "tiny-llama" }: { section?: string | undefined; family?: Family | undefined } = {},
): void {
  const { hyperparameters } = fixtureRun(family, section);

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
    const [kept, keptAgain] = [await whole.matrices(), await resumed.matrices()];
    expect(Object.keys(keptAgain)).toEqual(Object.keys(kept));
    for (const [name, matrix] of Object.entries(kept)) {
      const other = keptAgain[name]!;
      expect(await call(() => other.toFloat64Array())).toEqual(await call(() => matrix.toFloat64Array()));
    }
  });

  it("reports the preservation loss of the weights as they are", async () => {
    const model = await tinyModel(family);
    const { facts, batchSize } = fixtureRun(family);
    const editor = await fixtureEditor(model, family, { method, section });
    const looked = hyperparameters.layers.at(-1)!;
    const moments = await readTensors(officialPath(family, "statistics", `layer-${looked}.safetensors`));
    const covariance = moments.get("second_moment")!;
    const original = await call(() => model.native.originalWeight(looked));
    const before = await call(() => original.toFloat64Array());
    let reports: LayerReport[] = [];
    for await (const { layers } of editor.edit(facts, { batchSize })) reports = layers;
    const finished = await editor.finish();
    if (finished.length > 0) reports = finished;
    const weight = await call(async () => (await editor.weights()).get(looked)!.toFloat64Array());
    const d = covariance.rows;
    let loss = 0;
    for (let row = 0; row < model.config.width; row++) {
      const drift = weight.subarray(row * d, (row + 1) * d).map((w, i) => w - before[row * d + i]!);
      for (let i = 0; i < d; i++) {
        for (let j = 0; j < d; j++) loss += drift[i]! * covariance.values[i * d + j]! * drift[j]!;
      }
    }
    const { preservationLoss, baseLoss } = reports.find(({ layer }) => layer === looked)!;
    expectWithin(preservationLoss / loss - 1, 1e-5);
    expect(baseLoss).toBeGreaterThan(0);
  });
}
