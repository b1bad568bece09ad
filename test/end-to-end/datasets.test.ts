import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { EvaluationResult, Summary } from "../../src/run/index.js";
import { dataFile } from "../support/data-files.js";
import { officialJson, officialPath } from "../support/official.js";
import { writeReferenceTexts } from "../support/reference-texts.js";
import { makeTemporaryDirectory } from "../support/temporary.js";
import { lyaplock, lyaplockJson } from "./command.js";
import { editingArguments, factsFile } from "./tiny.js";

const family = "tiny-llama";
const directory = await makeTemporaryDirectory();
const model = ["--model", officialPath(family, "model")];
const zsre = `zsre:${dataFile("zsre.json")}`;

interface CaseLine {
  caseId: number;
  before: Record<string, never> | null;
  after: { rewrite: { predicted?: number[] }; generation?: { texts: string[]; fluency: number; consistency?: number } };
}

async function readJson(...path: string[]) {
  return JSON.parse(await readFile(join(directory, ...path), "utf8"));
}

async function caseLines(run: string): Promise<CaseLine[]> {
  const text = await readFile(join(directory, run, "cases.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

it("lyaplock run edits and measures ZsRE, in an order drawn with the seed", async () => {
  const out = join(directory, "zsre");
  const args = ["run", ...(await editingArguments(family, directory)), "--batch", "2", "--dataset", zsre, "--out", out];
  const refused = await lyaplock([...args, "--shuffle"]);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("record 2") });

  await lyaplockJson([...args, "--shuffle", "--seed", "3", "--skip-bad", "--metrics-before"]);
  const lines = await caseLines("zsre");
  expect(lines.map(({ caseId }) => caseId).sort()).toEqual([0, 1, 4]);
  expect(lines[0]!.after.rewrite.predicted!.length).toBeGreaterThan(0);
  const summary = (await readJson("zsre", "summary.json")) as Summary;
  expect(Object.keys(summary.after)).toEqual(["efficacy", "generalization", "specificity"]);
  expect(summary.after.efficacy.mean).toBeGreaterThan(summary.before!.efficacy.mean);
  expect(summary.byBatch.map(({ batch, efficacy }) => [batch, efficacy.count])).toEqual([
    [1, 2],
    [2, 1],
  ]);
  expect((await readJson("zsre", "run.json")).asked).toMatchObject({
    dataset: zsre,
    shuffle: true,
    offset: 0,
    seed: 3,
  });

  const resumed = await lyaplock(["run", "--out", out, "--resume", "--offset", "1"]);
  expect(resumed).toMatchObject({ code: 1, stderr: expect.stringContaining("--offset: 0 then, 1 now") });

  // The same order again, and what follows the first of it.
  const rest = join(directory, "rest");
  const part = ["--shuffle", "--seed", "3", "--skip-bad", "--offset", "1", "--edits", "1", "--out", rest];
  await lyaplockJson([...args.slice(0, -2), ...part]);
  expect((await caseLines("rest")).map(({ caseId }) => caseId)).toEqual([lines[1]!.caseId]);
});

it("lyaplock run generates text where asked, measures it and shows what it found", async () => {
  const texts: [string, string, string[]][] = [["P364", "Q1321", ["He met The Dr. in the word. They went on."]]];
  const references = await writeReferenceTexts(texts, directory);
  const out = join(directory, "texts");
  const dataset = `counterfact:${dataFile("multi-counterfact.json")}`;
  const args = [
    "run",
    ...(await editingArguments(family, directory)),
    "--dataset",
    dataset,
    "--skip-bad",
    "--out",
    out,
  ];
  const { code, stdout } = await lyaplock([...args, "--batch", "1", "--consistency", references]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/fluency +\d+\.\d ± 0\.0/);
  expect(stdout).toMatch(/consistency +\d+\.\d ± 0\.0/);
  expect(stdout).toMatch(/by the batch a fact was in, %: 1: \d+\.0, 2: \d+\.0\n/);

  const [first, second] = await caseLines("texts");
  const { generation } = first!.after;
  expect(generation!.texts).toHaveLength(2);
  expect(second!.after).not.toHaveProperty("generation");
  const { after } = (await readJson("texts", "summary.json")) as Summary;
  expect(after.fluency).toMatchObject({ count: 1 });
  expect(after.fluency!.mean).toBeCloseTo(100 * generation!.fluency, 9);
  expect(after.consistency!.mean).toBeCloseTo(100 * generation!.consistency!, 9);
  expect((await readJson("texts", "run.json")).references).toMatch(/^[0-9a-f]{64}$/);
});

it("lyaplock eval measures ZsRE, and on request as it was published", async () => {
  interface Reference {
    zsre: { records: object[]; summary: Record<string, [mean: number, deviation: number]> };
  }
  const { records, summary } = officialJson<Reference>(family, "expected", "evaluation.json").zsre;
  const file = join(directory, "reference-zsre.json");
  await writeFile(file, JSON.stringify(records));
  const args = ["eval", ...model, "--dataset", `zsre:${file}`];
  const published = (await lyaplockJson<EvaluationResult>([...args, "--published-zsre"])).metrics!;
  expect(published.efficacy.mean).toBeCloseTo(summary.pre_rewrite_acc![0], 2);
  expect(published.generalization.mean).toBeCloseTo(summary.pre_paraphrase_acc![0], 2);
  expect(published.specificity.mean).toBeCloseTo(summary.pre_neighborhood_acc![0], 2);
  const corrected = (await lyaplockJson<EvaluationResult>(args)).metrics!;
  expect(corrected).toMatchObject({ efficacy: { count: 5 }, specificity: { count: 5 } });
  expect(corrected).not.toEqual(published);
});

it("lyaplock eval takes the facts it is asked to take", async () => {
  const args = ["eval", ...model, "--dataset", `counterfact:${factsFile(family)}`, "--cases", "4"];
  const found = async (...more: string[]) => (await lyaplockJson<EvaluationResult>([...args, ...more])).metrics;
  const first = await found();
  expect(await found("--offset", "0")).toEqual(first);
  expect(await found("--offset", "4")).not.toEqual(first);
  expect(await found("--shuffle", "--seed", "5")).toEqual(await found("--shuffle", "--seed", "5"));
  expect(await found("--shuffle", "--seed", "5")).not.toEqual(await found("--shuffle", "--seed", "6"));
});
