import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { datasets } from "../../src/data/datasets.js";
import type { CounterFactRecord } from "../../src/data/records.js";
import { readTexts } from "../../src/data/texts.js";
import { checkFacts } from "../../src/edit/checks.js";
import { parseContextTemplates } from "../../src/edit/context-templates.js";
import { scoreCases } from "../../src/evaluate/score-cases.js";
import { summarize } from "../../src/evaluate/summarize.js";
import { builtinFiles } from "../../src/model/builtin.js";
import { loadModel } from "../../src/model/load.js";

it("the built-in model and what comes with it fit together", async () => {
  using model = await loadModel("builtin:atlas");
  expect(model.name).toBe("builtin:atlas");

  const records: CounterFactRecord[] = [];
  const skipped: unknown[] = [];
  for await (const record of datasets.atlas().records({ onSkip: (skip) => skipped.push(skip) })) records.push(record);
  expect(skipped).toEqual([]);
  expect(records.length).toBeGreaterThanOrEqual(500); // what the demo edits

  const files = builtinFiles("atlas");
  const contextTemplates = parseContextTemplates(JSON.parse(await readFile(files.contextTemplates, "utf8")));
  const checks = await checkFacts(model, records, contextTemplates);
  expect(checks.flatMap(({ problems }) => problems)).toEqual([]);

  let texts = 0;
  for await (const text of readTexts(files.texts)) texts += text === "" ? 0 : 1;
  expect(texts).toBeGreaterThan(1000);

  // It knows what the edits will overwrite, or the demo would show nothing.
  const { efficacy, specificity } = summarize(await scoreCases(model, records.slice(0, 50)));
  expect(efficacy.mean).toBeLessThan(10);
  expect(specificity.mean).toBeGreaterThan(90);
});
