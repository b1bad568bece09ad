import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { planUpdates } from "../../src/edit/plan.js";
import { planRun } from "../../src/run/plan.js";
import { expectRejection } from "../support/errors.js";
import { temporaryDirectory } from "../support/temporary.js";

describe("the plan of a run", () => {
  it("is that of its updates, with the model and what comes before the first batch", async () => {
    const plan = await planRun({ model: "builtin:atlas", edits: 300, batch: 50 });
    expect(plan).toMatchObject({ model: "builtin:atlas", layers: [0, 1], keyWidth: 1408, valueWidth: 192, batch: 50 });
    const shape = { keyWidth: 1408, valueWidth: 192, layers: 2, edits: 300, batchSize: 50 };
    const updates = await planUpdates({ ...shape, weight: "changes" });
    expect(plan.updates.weightChanges).toMatchObject(updates);
    expect(plan.updates.weightStays).toMatchObject(await planUpdates({ ...shape, weight: "stays" }));

    const oneMoment = 8 * 1408 ** 2;
    expect(plan.secondMoments).toMatchObject({ bytes: 2 * oneMoment, flops: (2 * 1408 ** 3) / 3 });
    expect(plan.weights.edited).toBe(2 * 2 * 4 * 1408 * 192);
    expect(plan.peakBytes.weightChanges).toBe(plan.weights.model + plan.weights.edited + updates.peakBytes);
    const { float64Gigaflops } = plan.device;
    expect(plan.updates.weightChanges.seconds).toBeCloseTo(updates.flops / (1e9 * float64Gigaflops), 9);
  });

  it("peaks before the first batch where there are few facts", async () => {
    const plan = await planRun({ keyWidth: 2048, valueWidth: 16, layers: [3, 4], edits: 1, batch: 1 });
    expect(plan.peakBytes.weightStays).toBe(4 * 8 * 2048 ** 2);
  });

  it("needs of a model no more than its config.json", async () => {
    const directory = await temporaryDirectory();
    const config = { model_type: "gpt2", n_embd: 1600, n_layer: 48, n_head: 25, vocab_size: 50257 };
    await writeFile(join(directory, "config.json"), JSON.stringify(config));
    const plan = await planRun({ model: directory, edits: 1000 });
    expect(plan).toMatchObject({ keyWidth: 6400, valueWidth: 1600, layers: [13, 14, 15, 16, 17], batch: 100 });
    expect(plan.weights.model).toBe(4 * 1_557_611_200);

    const shape = await planRun({ keyWidth: 6400, valueWidth: 1600, layers: [13, 14, 15, 16, 17], edits: 1000 });
    expect(shape).toMatchObject({ model: null, weights: { model: 0, edited: 0 } });
    expect(shape.updates.weightStays.flops).toBe(plan.updates.weightStays.flops);
    expect((await planRun({ model: directory, layers: [7], edits: 1000 })).layers).toEqual([7]);
  });

  it("refuses what there is not", async () => {
    await expectRejection(planRun({ model: "./no/such", edits: 1 }), "ERR_FILE", "no/such");
    await expectRejection(
      planRun({ model: "builtin:atlas", layers: [5], edits: 1 }),
      "ERR_INVALID_ARGUMENT",
      "Layer 5",
    );
  });
});
