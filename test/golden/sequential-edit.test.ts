// Three batches from end to end with our own values, against the reference's run: weights, losses, queue, metrics.
// Witness: test/fixtures/official/*/expected/{lyaplock,evaluation,sensitivity}.* (see the README there).

import { describe, expect, it } from "vitest";
import { beginKeys } from "../../src/edit/keys.js";
import type { BatchReport } from "../../src/edit/report.js";
import { addon, call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { fixtureEditor, fixtureRun } from "../support/fixture-run.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES, officialJson, officialPath } from "../support/official.js";
import { readTensors, turned } from "../support/tensors.js";

interface Sensitivity {
  lyaplock: {
    weights: Record<string, { relative_to_drift: number }>;
    values: Record<string, number>;
    queue_relative: Record<string, { Z: number; preservation_loss: number; update_norm: number }>;
  };
}
interface Expected {
  batches: { layers: Record<string, { a: number; Z: number; preservation_loss: number; update_norm: number }> }[];
}

/**
 * Ten times what rounding alone did, and never more than 1e-3. Of the figures for one quantity the largest: one rounding
 * can hit a single number by less than an ulp, by chance.
 */
const tenTimes = (roundings: number[]) => Math.min(10 * Math.max(...roundings), 1e-3);

describe.each(FAMILIES)("sequential editing of %s", (family) => {
  const { lyaplock: rounding } = officialJson<Sensitivity>(family, "expected", "sensitivity.json");
  const queues = Object.values(rounding.queue_relative);
  const bounds = {
    loss: tenTimes(queues.map(({ preservation_loss }) => preservation_loss)),
    updateNorm: tenTimes(queues.map(({ update_norm }) => update_norm)),
    queue: tenTimes(queues.map(({ Z }) => Z)),
    drift: tenTimes(Object.values(rounding.weights).map(({ relative_to_drift }) => relative_to_drift)),
  };

  it("reads the reference's keys and residuals from the unedited model", async () => {
    const model = await tinyModel(family);
    const { facts, batchSize, contextTemplates, hyperparameters } = fixtureRun(family);
    const tensors = await readTensors(officialPath(family, "expected", "lyaplock.safetensors"));
    const layer = hyperparameters.layers[0]!;
    const pass = await beginKeys(model, facts.slice(0, batchSize), contextTemplates);
    const keys = await call(() => pass.keys(layer));
    const outputs = await call(() => pass.outputs(hyperparameters.layers.at(-1)!));
    const { values, rows, cols } = turned(tensors.get("batch.1.values")!);
    const wanted = await call(() => addon().createMatrix(values, rows, cols));
    const residuals = await call(() => addon().residuals(wanted, outputs, hyperparameters.layers.length));
    const published = (name: string) => turned(tensors.get(`batch.1.layer.${layer}.${name}`)!).values;
    expectWithin(relativeError(await call(() => keys.toFloat64Array()), published("keys")), 1e-5);
    expectWithin(relativeError(await call(() => residuals.toFloat64Array()), published("residuals")), 1e-5);
  });

  it("ends with the reference's weights, losses and queue", async () => {
    const model = await tinyModel(family);
    const { facts, batchSize } = fixtureRun(family);
    const editor = await fixtureEditor(model, family);
    const tensors = await readTensors(officialPath(family, "expected", "lyaplock.safetensors"));
    const expected = officialJson<Expected>(family, "expected", "lyaplock.json");
    const originals = await editor.weights();

    const reports: BatchReport[] = [];
    for await (const report of editor.edit(facts, { batchSize })) {
      reports.push(report);
      const weights = await editor.weights();
      for (const layer of report.layers) {
        const name = `batch.${report.batch}.layer.${layer.layer}`;
        const truth = expected.batches[report.batch - 1]!.layers[layer.layer]!;
        expectWithin(layer.preservationLoss / truth.preservation_loss - 1, bounds.loss, `${name}: loss`);
        expectWithin(layer.updateNorm / truth.update_norm - 1, bounds.updateNorm, `${name}: update norm`);
        expectWithin(layer.queue! / (truth.a * truth.Z) - 1, bounds.queue, `${name}: queue`);

        const original = await call(() => originals.get(layer.layer)!.toFloat64Array());
        const weight = await call(() => weights.get(layer.layer)!.toFloat64Array());
        const stored = tensors.get(`${name}.weight`)!;
        const published = stored.rows === model.config.width ? stored.values : turned(stored).values;
        const drift = weight.map((w, i) => w - original[i]!);
        expectWithin(
          relativeError(
            drift,
            published.map((w, i) => w - original[i]!),
          ),
          bounds.drift,
          `${name}: drift`,
        );
      }
    }
    expect(reports.map(({ edits }) => edits)).toEqual([4, 8, 12]);
  });

  it("goes on to the same bits after it was put down and taken up again", async () => {
    const { facts, batchSize } = fixtureRun(family);
    const batches = [0, 1, 2].map((b) => facts.slice(b * batchSize, (b + 1) * batchSize));
    const whole = await fixtureEditor(await tinyModel(family), family);
    const ledger = [];
    for (const batch of batches.slice(0, 2)) {
      await whole.editBatch(batch);
      ledger.push(await whole.ledgerRows());
    }
    const state = JSON.parse(JSON.stringify(await whole.state()));
    const [weights, matrices] = [await whole.weights(), await whole.matrices()];

    const resumed = await fixtureEditor(await tinyModel(family), family);
    await resumed.restore(
      state,
      (async function* () {
        yield* ledger;
      })(),
      matrices,
      weights,
    );
    const [straight, again] = [await whole.editBatch(batches[2]!), await resumed.editBatch(batches[2]!)];
    expect({ ...again, seconds: null }).toEqual({ ...straight, seconds: null });
    for (const [layer, weight] of await whole.weights()) {
      const other = (await resumed.weights()).get(layer)!;
      expect(await call(() => other.toFloat32Array())).toEqual(await call(() => weight.toFloat32Array()));
    }
  });
});
