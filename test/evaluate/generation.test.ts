import { expect, it } from "vitest";
import { datasets } from "../../src/data/datasets.js";
import type { CounterFactRecord } from "../../src/data/records.js";
import { readReferenceTexts } from "../../src/data/reference-texts.js";
import { CHUNK_CASES, type EvaluateOptions, evaluate } from "../../src/evaluate/evaluate.js";
import { fluencyOf } from "../../src/evaluate/fluency.js";
import type { CounterFactScores } from "../../src/evaluate/scores.js";
import { summarize } from "../../src/evaluate/summarize.js";
import { dataFile } from "../support/data-files.js";
import { expectRejection } from "../support/errors.js";
import { tinyModel } from "../support/model.js";
import { writeReferenceTexts } from "../support/reference-texts.js";

async function records(): Promise<CounterFactRecord[]> {
  const all: CounterFactRecord[] = [];
  for await (const record of datasets.counterfact(dataFile("multi-counterfact.json")).records()) all.push(record);
  return all;
}

async function scoresOf(given: CounterFactRecord[], options?: EvaluateOptions): Promise<CounterFactScores[]> {
  const model = await tinyModel("tiny-llama");
  const scores: CounterFactScores[] = [];
  for await (const score of evaluate(model, given, options)) scores.push(score);
  return scores;
}

it("texts are generated only where asked for, and where a record has prompts", async () => {
  const plain = await scoresOf(await records());
  expect(plain.map((scores) => Object.keys(scores))).toEqual(
    Array(2).fill(["caseId", "rewrite", "paraphrases", "neighborhood"]),
  );
  expect(summarize(plain)).not.toHaveProperty("fluency");

  const [first, second] = await scoresOf(await records(), { fluency: true });
  expect(second).toEqual(plain[1]);
  const { generation, ...rest } = first!;
  expect(rest).toEqual(plain[0]);
  // 100 tokens in all, of the 5 most probable; the stream is the case's.
  const [record] = await records();
  const model = await tinyModel("tiny-llama");
  const drawn = await model.generate(record!.generationPrompts, { maxLength: 100, topK: 5, seed: 42 + record!.caseId });
  expect(generation!.texts).toEqual(drawn);
  const fluencies = await Promise.all(generation!.texts.map(fluencyOf));
  expect(generation!.fluency).toBeCloseTo((fluencies[0]! + fluencies[1]!) / 2, 12);
  expect(generation).not.toHaveProperty("consistency");
  expect(summarize([first!, second!]).fluency).toEqual({
    mean: expect.closeTo(100 * generation!.fluency, 9),
    standardError: 0,
    count: 1,
  });
});

it("texts are compared with those about the new target", async () => {
  const own = await scoresOf(await records(), { fluency: true });
  const texts = own[0]!.generation!.texts.slice(0, 1);
  const references = await readReferenceTexts(await writeReferenceTexts([["P364", "Q1321", texts]]));
  const scores = await scoresOf(await records(), { references });
  const { consistency } = scores[0]!.generation!;
  expect(consistency).toBeGreaterThan(0);
  expect(consistency).toBeLessThanOrEqual(1);
  expect(summarize(scores).consistency).toMatchObject({ mean: expect.closeTo(100 * consistency!, 9), count: 1 });

  const others = await readReferenceTexts(await writeReferenceTexts([["P364", "Q1568", texts]]));
  expect((await scoresOf(await records(), { references: others }))[0]!.generation).not.toHaveProperty("consistency");
});

it("an evaluation that goes on at a multiple of its chunk draws the same texts", async () => {
  const [record] = await records();
  const many = Array.from({ length: CHUNK_CASES + 3 }, (_, caseId) => ({
    ...record!,
    caseId,
    paraphrasePrompts: [],
    neighborhoodPrompts: [],
    generationPrompts: record!.generationPrompts.slice(0, 1),
  }));
  const whole = await scoresOf(many, { fluency: true });
  expect(await scoresOf(many.slice(CHUNK_CASES), { fluency: true })).toEqual(whole.slice(CHUNK_CASES));
  expect(new Set(whole.map(({ generation }) => generation!.texts[0])).size).toBeGreaterThan(CHUNK_CASES / 2);
});

it("a prompt that the model has no room for is refused", async () => {
  const [record] = await records();
  const long = { ...record!, generationPrompts: ["word ".repeat(300)] };
  await expectRejection(scoresOf([long], { fluency: true }), "ERR_TOO_LONG", "256 positions");
});
