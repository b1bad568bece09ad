import { describe, expect, it } from "vitest";
import { type PlannedEdits, planUpdates } from "../../src/edit/plan.js";
import { totalBytes } from "../../src/edit/plan-memory.js";
import { KeySpace, LayerEditor } from "../../src/engine.js";
import { expectWithin } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { covariance, random, randomMatrix } from "../support/problems.js";

const shape = { keyWidth: 384, valueWidth: 96 };
const largeBatches = { keyWidth: 256, valueWidth: 64, batchSize: 100 };

/** Really makes the edits of a plan, and compares after every batch. */
async function comparePlans(planned: Omit<PlannedEdits, "edits">, edits: number): Promise<string[]> {
  const { keyWidth, valueWidth, batchSize = 100, weight } = planned;
  const next = random(11);
  using keySpace = await KeySpace.fromCovariance(covariance(next, keyWidth));
  using editor = await LayerEditor.create(keySpace, { valueWidth });
  const forms: string[] = [];
  let flops = 0;
  let primalAfter: number | null = null;
  while (editor.facts < edits) {
    const u = Math.min(batchSize, edits - editor.facts);
    const batch = { keys: randomMatrix(next, u, keyWidth), residuals: randomMatrix(next, u, valueWidth) };
    const report = await editor.update({ ...batch, weight: weight === "stays" ? 15 : 15 + editor.facts });
    flops += report.flops;
    if (report.form === "primal") primalAfter ??= editor.facts - u;
    forms.push(report.bordered ? "bordered" : report.form);

    const plan = await planUpdates({ ...planned, edits: editor.facts });
    expect(plan.primalAfter).toBe(primalAfter);
    // The engine takes the batch before to be as large as the one at hand, which the last may not be.
    expectWithin(plan.flops / flops - 1, u === batchSize ? 0.0001 : 0.02);
    expectWithin(totalBytes(plan.memory) / (editor.bytes + keySpace.bytes) - 1, u === batchSize ? 0.0001 : 0.01);
    expect(plan.peakBytes).toBeGreaterThan(totalBytes(plan.memory));
  }
  return [...new Set(forms)];
}

describe("a plan of updates", () => {
  it("is what updates then take, while the weight changes, in the dual form and in the primal one", async () => {
    expect(await comparePlans({ ...shape, batchSize: 20, weight: "changes" }, 790)).toEqual(["dual", "primal"]);
  });

  it("is what they take while the weight stays, where a factor is bordered", async () => {
    expect(await comparePlans({ ...shape, batchSize: 20, weight: "stays" }, 790)).toEqual(["dual", "bordered"]);
  });

  it("knows when a factor is bordered no longer, and that of batches that are large from the first", async () => {
    const stays = { ...largeBatches, weight: "stays" } as const;
    expect(await comparePlans({ ...stays, batchSize: 40 }, 1250)).toEqual(["dual", "bordered", "primal"]);
    expect(await comparePlans({ ...stays, batchSize: 600 }, 1200)).toEqual(["primal"]);
  });

  it("takes layers one after the other", async () => {
    const planned = { ...shape, edits: 1000, batchSize: 20, weight: "changes" } as const;
    const [one, five] = [await planUpdates(planned), await planUpdates({ ...planned, layers: 5 })];
    expect(five.flops).toBe(5 * one.flops);
    expect(totalBytes(five.memory)).toBe(5 * totalBytes(one.memory));
    expect(five.peakBytes).toBeGreaterThanOrEqual(4 * totalBytes(one.memory) + one.peakBytes);
    expect(five.peakBytes).toBeLessThan(5 * one.peakBytes);
  });

  it("has no more than whitened keys of one form in memory when the other takes over", async () => {
    const planned = { ...shape, edits: 790, batchSize: 20, weight: "changes" } as const;
    const { primalAfter } = await planUpdates(planned);
    const before = await planUpdates({ ...planned, edits: primalAfter! });
    const after = await planUpdates({ ...planned, edits: primalAfter! + 20 });
    const { keys, gram, factor, coefficients } = before.memory;
    expect(gram).toBeGreaterThan(0);
    const least = totalBytes(before.memory) - keys / 2 - gram - factor - coefficients + after.memory.sums;
    expect(after.peakBytes).toBeGreaterThanOrEqual(least);
    expect(after.peakBytes, "both whole").toBeLessThan(totalBytes(before.memory) + after.memory.sums);
  });

  it("counts blocks of a thousand facts as they are", async () => {
    const planned = { keyWidth: 8192, valueWidth: 4, edits: 2500, batchSize: 1000, weight: "changes" } as const;
    const { memory } = await planUpdates(planned);
    const panels = 8 * (1024 * 1024 + 1024 * 2048 + 452 * 2500);
    expect(memory).toMatchObject({ gram: panels, factor: panels });
  });

  it.each([
    ["keyWidth", 0],
    ["valueWidth", 1.5],
    ["layers", -1],
    ["edits", 1e15],
    ["batchSize", Number.NaN],
  ])("refuses %s of %d", async (name, value) => {
    const planned = { ...shape, edits: 10, weight: "stays", [name]: value } as const;
    await expectRejection(planUpdates(planned), "ERR_INVALID_ARGUMENT", name);
  });

  it("can be stopped", async () => {
    const planned = { ...shape, edits: 1_000_000, batchSize: 1, weight: "stays" } as const;
    await expectRejection(planUpdates(planned, AbortSignal.timeout(20)), "ERR_ABORTED");
  });
});
