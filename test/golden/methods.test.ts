// Every method that is solved layer by layer, three batches from end to end with our own values, against the reference's run.
// Witness: test/fixtures/official/*/expected/{memit,memit_seq,memit_rect,memit_prune,alphaedit,sensitivity}.* (see the README there).

import { describe, expect, it } from "vitest";
import { type EditingMethod, methods } from "../../src/edit/methods/index.js";
import { call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { fixtureEditor, fixtureRun } from "../support/fixture-run.js";
import { describeMethod } from "../support/method-suite.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES, type Family, officialPath } from "../support/official.js";
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

/** The method, and the section of hparams.json and the family that suit it. */
const resumable: [string, EditingMethod, section?: string, family?: Family][] = [
  ["memit", methods.memit()],
  ["memit-sequential", methods.memitSequential()],
  ["alphaedit", methods.alphaedit()],
  ["rect", methods.rect()],
  ["prune", methods.prune()],
  ["emmet", methods.emmet()],
  ["lyaplock", methods.lyaplock({ alpha: 1.5 })],
  ["lyaplock with a bound for each batch", methods.lyaplock({ alpha: 1.5, bound: "each-batch" })],
  ["lyaplock with memit", methods.lyaplock({ alpha: 1.5, base: "memit" })],
  ["lyaplock with rect", methods.lyaplock({ alpha: 1.5, base: "rect" })],
  ["lyaplock with prune", methods.lyaplock({ alpha: 1.5, base: "prune" })],
  ["lyaplock with alphaedit", methods.lyaplock({ alpha: 1.5, base: "alphaedit" })],
  ["rome", methods.rome(), "rome"],
  ["ft", methods.fineTuning(), "ft", "tiny-gpt2"], // which has a bias to train
];

describe.each(resumable)("%s", (_, method, section, family) => describeMethod(method, { section, family }));
