// A method of a user's own, written against the public interface alone, does what the built-in ones do.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type CaseScores,
  type CounterFactRecord,
  collectSecondMoments,
  datasets,
  evaluate,
  loadModel,
  methods,
  parseContextTemplates,
  parseHyperparameters,
  SequentialEditor,
  summarize,
} from "../../src/index.js";
import { halvingMemit } from "../support/halving-memit.js";
import { describeMethod } from "../support/method-suite.js";

const sourceFile = new URL("../support/halving-memit.ts", import.meta.url);
const page = new URL("../../docs/methods.md", import.meta.url);

describe("a method of one's own", () => {
  describeMethod(halvingMemit());

  it("edits facts of the built-in model, each batch with half the weight of the one before", async () => {
    const model = await loadModel("builtin:atlas");
    const own = (name: string) => readFile(join(model.directory!, name), "utf8");
    const hyperparameters = parseHyperparameters(JSON.parse(await own("hparams.json")));
    const contextTemplates = parseContextTemplates(JSON.parse(await own("context_templates.json")));
    const texts = (await own("texts.txt")).split("\n").slice(0, 2000);
    const moments = await collectSecondMoments(model, texts, { layers: hyperparameters.layers });
    const records: CounterFactRecord[] = [];
    for await (const record of datasets.atlas().records({ limit: 10 })) records.push(record);
    const efficacy = async () => {
      const scores: CaseScores[] = [];
      for await (const score of evaluate(model, records)) scores.push(score);
      return summarize(scores).efficacy!.mean;
    };
    expect(await efficacy()).toBeLessThan(10);

    const method = halvingMemit();
    using editor = await SequentialEditor.create(model, { method, moments, hyperparameters, contextTemplates });
    const weights: number[] = [];
    for await (const { layers } of editor.edit(records, { batchSize: 5 })) weights.push(layers[0]!.weight!);
    expect(weights).toEqual([hyperparameters.covarianceWeight, hyperparameters.covarianceWeight / 2]);
    expect(await efficacy()).toBeGreaterThan(80);
    model.dispose();
  }, 180_000);
});

describe("docs/methods.md", () => {
  it("shows that method as it is, but for where the library is found", async () => {
    const source = await readFile(sourceFile, "utf8");
    const found: Record<string, string> = {
      "../../src/engine.js": "lyaplock/engine",
      "../../src/index.js": "lyaplock",
    };
    // Nothing but the public interface is imported.
    const shown = source.replace(/from "(.*)"/g, (_, from: string) => `from "${found[from]}"`);
    expect(await readFile(page, "utf8")).toContain(`\`\`\`ts\n${shown}\`\`\``);
  });

  it("has a row for every method", async () => {
    const text = await readFile(page, "utf8");
    for (const name of Object.keys(methods)) expect(text).toMatch(new RegExp(`^\\| \`${name}\` \\|`, "m"));
  });
});
