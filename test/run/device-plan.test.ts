import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { planUpdates } from "../../src/edit/plan.js";
import { counterfactLengths, plannedPrompts } from "../../src/edit/plan-prompts.js";
import { readModelConfig } from "../../src/model/config.js";
import { addon, call } from "../../src/native/index.js";
import { describePlan } from "../../src/report/plan.js";
import { planRun } from "../../src/run/plan.js";
import { expectWithin } from "../support/close.js";
import { expectRejection } from "../support/errors.js";

const model = (name: string) => fileURLToPath(new URL(`../configs/${name}`, import.meta.url));

/** On a device, where a plan of updates alone is not looked at. */
async function planFor(name: string, changes: Partial<Parameters<typeof planRun>[0]> = {}) {
  const plan = await planRun({ model: model(name), edits: 200, device: "a100", ...changes });
  return { plan, onDevice: plan.onDevice! };
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, number) => total + number, 0);

describe("the prompts of a plan", () => {
  it("are as long as they are on average, and those that native code takes", () => {
    const { valuePrompts: values, keyPrompts: keys } = plannedPrompts(200, counterfactLengths);
    const { before, context, after, target, subject } = counterfactLengths;
    const [perValues, perKeys] = [values.batch.tokens.length, keys.batch.tokens.length].map((tokens) => tokens / 200);
    expectWithin(perValues! / (6 * (before + after + target) + 5 * context + subject + 2) - 1, 0.005);
    expectWithin(perKeys! / (6 * (before + 1) + 5 * context) - 1, 0.005);
    expectWithin(values.labelTokens.length / 200 / (6 * target) - 1, 0.005);
    expectWithin(sum(keys.shares) / 200 - 1, 1e-6);
    // The last token of a rewriting prompt predicts the last one of the target.
    const last = values.labelSequences.lastIndexOf(0);
    expect(values.labelPositions[last]).toBe(values.batch.offsets[1]! - 1);
  });
});

describe("the plan of values on a device", () => {
  it("reads the weights less often where memory lets more facts go through together", async () => {
    const [small, large] = await Promise.all(
      (["rtx4090", "h100"] as const).map((device) => planFor("gpt-j-6b", { edits: 100, device })),
    );
    const [few, many] = [small!.onDevice.weightStays, large!.onDevice.weightStays];
    expectWithin(many.values.flops.products / few.values.flops.products - 1, 1e-6);
    expect(many.values.bytes).toBeLessThan(few.values.bytes / 2);
    // 0.75 GiB, and a 32nd of 80.
    expect(few.memory.values / 2 ** 30).toBeLessThan(0.85);
    expect(many.memory.values / 2 ** 30).toBeGreaterThan(2);
    expect(many.memory.values / 2 ** 30).toBeLessThan(2.8);
  });

  it.each([
    ["gpt-j-6b", (m: number, d: number) => ({ attention: 4 * m * m, keys: 2 * m * m, feedForward: 2 * m * d })],
    ["llama-3-8b", (m: number, d: number) => ({ attention: 2.5 * m * m, keys: 0.5 * m * m, feedForward: 3 * m * d })],
  ])("counts what the layers above take for %s, step by step", async (name, weightsOf) => {
    const {
      layers: depth,
      width: m,
      feedForwardWidth: d,
      vocabulary,
    } = await readModelConfig(`${model(name)}/config.json`);
    const { attention, keys, feedForward } = weightsOf(m, d);
    const { onDevice } = await planFor(name, { edits: 20, batch: 20 });
    const { valuePrompts } = plannedPrompts(20, counterfactLengths);
    const { lookups, batch, facts, labelTokens } = valuePrompts;
    const isRewriting = (sequence: number) => valuePrompts.labelSequences.includes(sequence);
    const prefix = sum(lookups);
    // Of a KL prompt nothing is read after its lookup.
    const suffix = sum(
      Array.from(facts, (_, s) => (isRewriting(s) ? batch.offsets[s + 1]! - batch.offsets[s]! - lookups[s]! : 1)),
    );
    const reads = labelTokens.length + 20;
    const [last, steps] = [8, 25]; // published for both
    const above = depth - last - 1;
    const block = attention + feedForward;
    const once = (prefix + suffix) * block * (last + 1) + prefix * (block * (above - 1) + keys);
    const query = m * m;
    const pass = suffix * (block * (above - 1) + attention - query) + reads * (query + feedForward);
    const head = reads * m * vocabulary;
    const expected = 2 * (once + steps * (pass + 2 * head) + (steps - 1) * pass);
    expectWithin(onDevice.weightStays.values.flops.products / expected - 1, 1e-9);

    // What the backends' own count of operations leaves out: attention's products, here with short prompts.
    const share = onDevice.weightStays.values.flops.attention / expected;
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThan(0.01);
  });
});

describe("the plan of updates on a device", () => {
  it.each([true, false])(
    "counts the operations that the plan of updates does, with a weight that stays: %s",
    async (weightStays) => {
      const shape = { keyWidth: 384, valueWidth: 96, edits: 780, batchSize: 20 };
      const rehearsed = await call(() => addon().rehearseUpdates({ ...shape, weightStays }));
      const { flops, memory } = await planUpdates({ ...shape, weight: weightStays ? "stays" : "changes" });
      const all = [...rehearsed.allButLast.work, ...rehearsed.last.work];
      expectWithin(sum(all.map((work) => work.flops)) / flops - 1, 0.0001);
      expect(new Set(all.filter((work) => work.flops > 0).map(({ precision }) => precision))).toEqual(
        new Set(["float64"]),
      );
      // Blocks of a thousand rows are there before they are filled.
      expect(rehearsed.heldBytes).toBeGreaterThanOrEqual(sum(Object.values(memory)));
    },
  );

  it("can be stopped", async () => {
    const endless = { keyWidth: 64, valueWidth: 16, edits: 10_000_000, batchSize: 1, weightStays: false };
    const work = (signal: AbortSignal) => call((token) => addon().rehearseUpdates(endless, token), signal);
    await expectRejection(work(AbortSignal.timeout(50)), "ERR_ABORTED");
  });

  it("refuses sizes of nothing", async () => {
    const none = { keyWidth: 8, valueWidth: 4, edits: 0, batchSize: 1, weightStays: true };
    await expectRejection(
      call(() => addon().rehearseUpdates(none)),
      "ERR_INVALID_ARGUMENT",
      "edits",
    );
  });
});

describe("the plan of a run on a device", () => {
  it("adds its phases up to a batch, and that to an edit", async () => {
    const { onDevice } = await planFor("gpt2-xl");
    for (const { values, keys, updateOfLayer, copies, batch, secondsPerEdit } of [
      onDevice.weightStays,
      onDevice.weightChanges,
    ]) {
      const seconds = values.seconds + keys.seconds + 5 * updateOfLayer.seconds + copies.seconds;
      expectWithin(batch.seconds / seconds - 1, 1e-9);
      expectWithin((100 * secondsPerEdit) / seconds - 1, 1e-9);
      expectWithin(sum(Object.values(batch.terms)) / batch.seconds - 1, 1e-9);
      expect(values.binds).toBe("arithmetic");
      expect(copies.binds).toBe("host link");
    }
    expect(onDevice.weightChanges.updateOfLayer.flops.float64).toBeGreaterThan(0);
    const faster = (await planFor("gpt2-xl", { device: "h100", matmul: "tf32" })).onDevice;
    expect(faster.weightStays.values.flops).toEqual(onDevice.weightStays.values.flops);
    expect(faster.weightStays.secondsPerEdit).toBeLessThan(onDevice.weightStays.secondsPerEdit / 3);
  });

  it("says before the run what does not fit, and what to do", async () => {
    const small = await planFor("gpt-j-6b", { device: "rtx4090" });
    expect(small.onDevice.weightStays.fits).toBe(false);
    expect(small.onDevice.weightStays.memory.weights).toBeGreaterThan(4 * 6.05e9);
    expect(describePlan(small.plan)).toMatch(
      /IT DOES NOT FIT: .* of 22\.00 GiB .*\nThe largest part is the model.*\nUse --weights bf16/,
    );
    const large = await planFor("gpt-j-6b");
    expect(large.onDevice.weightStays.fits).toBe(true);
    expect(describePlan(large.plan)).toContain("It fits: the run takes");
    const many = await planFor("gpt-j-6b", { edits: 20_000 });
    expect(many.onDevice.weightChanges.fits).toBe(false);
    expect(describePlan(many.plan)).toContain("The largest part is what all layers hold after the last batch");
  });

  it("says that refined solves are for others", async () => {
    const refined = await planFor("gpt2-xl", { solve: "refined" });
    const plain = await planFor("gpt2-xl");
    expect(refined.onDevice.weightStays).toEqual(plain.onDevice.weightStays);
    expect(describePlan(refined.plan)).toContain("--solve refined changes nothing");
    expect(describePlan(plain.plan)).not.toContain("refined");
  });

  it("refuses a batch that nobody would edit at once", async () => {
    const planned = planFor("gpt2-xl", { edits: 20_000, batch: 20_000 });
    await expectRejection(planned, "ERR_INVALID_ARGUMENT", "at most 10000 facts");
  });

  it("takes a model, since a shape says nothing of the layers above", async () => {
    const shape = { keyWidth: 64, valueWidth: 16, layers: [1], edits: 10 };
    await expectRejection(planRun({ ...shape, device: "a100" }), "ERR_INVALID_ARGUMENT", "config.json");
    expect((await planRun(shape)).onDevice).toBeNull();
  });
});
