// While its queue sleeps, LyapLock weighs what the other method weighs: a combination then is that method.

import { describe, expect, it } from "vitest";
import { type EditingMethod, methods } from "../../src/edit/methods/index.js";
import { call } from "../../src/native/index.js";
import { relativeError } from "../support/close.js";
import { fixtureEditor, fixtureRun } from "../support/fixture-run.js";
import { tinyModel } from "../support/model.js";

const family = "tiny-llama";
// Its hyperparameters have a threshold for the null space that suits the tiny model.
const section = "alphaedit";
const asleep = 1e6;
const awake = 1;

async function edited(method: EditingMethod, batches = 3): Promise<Float64Array> {
  const { facts, batchSize } = fixtureRun(family);
  const editor = await fixtureEditor(await tinyModel(family), family, { method, section });
  for (let b = 0; b < batches; b++) await editor.editBatch(facts.slice(b * batchSize, (b + 1) * batchSize));
  await editor.finish();
  const drift = (await editor.drifts()).get(3)!;
  return call(() => drift.toFloat64Array());
}

describe.each([
  ["memit", methods.memit()],
  ["rect", methods.rect()],
  ["prune", methods.prune()],
] as const)("LyapLock with %s", (base, alone) => {
  it("edits as that method does while the queue sleeps, and otherwise once it is awake", async () => {
    const wanted = await edited(alone);
    expect(relativeError(await edited(methods.lyaplock({ alpha: asleep, base })), wanted)).toBe(0);
    expect(relativeError(await edited(methods.lyaplock({ alpha: awake, base })), wanted)).toBeGreaterThan(1e-3);
  });
});

describe("LyapLock with alphaedit", () => {
  it("begins as AlphaEdit does, and then remembers what earlier facts reached too", async () => {
    const combined = methods.lyaplock({ alpha: asleep, base: "alphaedit" });
    expect(relativeError(await edited(combined, 1), await edited(methods.alphaedit(), 1))).toBeLessThan(1e-9);
    expect(relativeError(await edited(combined), await edited(methods.alphaedit()))).toBeGreaterThan(1e-3);
  });
});
