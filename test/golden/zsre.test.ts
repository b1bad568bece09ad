// Five facts of ZsRE written in one batch, and what the model then answers, token by token.
// Witness: test/fixtures/official/*/expected/{zsre_edit,evaluation,sensitivity}.* (see the README there).

import { describe, expect, it } from "vitest";
import type { Fact, ZsreRecord } from "../../src/data/records.js";
import { parseZsreRecord } from "../../src/data/zsre-record.js";
import { EngineLayer } from "../../src/edit/methods/engine-layer.js";
import { layerByLayer } from "../../src/edit/methods/layer-by-layer.js";
import type { EditingMethod } from "../../src/edit/methods/method.js";
import { QueuedWeight } from "../../src/edit/methods/weighing.js";
import { optimizeValues } from "../../src/edit/values.js";
import { VirtualQueue } from "../../src/edit/virtual-queue.js";
import { scoreCases } from "../../src/evaluate/score-cases.js";
import { answerSteps, neighborSteps } from "../../src/evaluate/score-zsre.js";
import type { ZsreScores } from "../../src/evaluate/scores.js";
import { summarize } from "../../src/evaluate/summarize.js";
import type { LanguageModel } from "../../src/model/language-model.js";
import { call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { fixtureEditor, fixtureRun } from "../support/fixture-run.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES, officialJson, officialPath } from "../support/official.js";
import { readTensors, turned } from "../support/tensors.js";

interface Questions {
  prompts: string[];
  predicted: number[];
  expected: number[];
}
interface ReferenceCase {
  case_id: number;
  rewrite_and_paraphrase: Questions;
  neighborhood: Questions;
}
interface Reference {
  zsre: Record<"before" | "after" | "after_counterfact_edits", ReferenceCase[]> & {
    records: object[];
    summary: Record<string, [mean: number, deviation: number]>;
  };
}
interface Sensitivity {
  lyaplock: { values: Record<string, number>; queue_relative: Record<string, { update_norm: number }> };
}

/** Ten times what rounding alone did to LyapLock's run, and never more than 1e-3. */
const tenTimes = (roundings: number[]) => Math.min(10 * Math.max(...roundings), 1e-3);

/** The fixtures were made by the published code, accidents included. */
const compatibility = { doubleSpace: true, bosInAnswers: true };

describe.each(FAMILIES)("ZsRE on %s", (family) => {
  const { zsre } = officialJson<Reference>(family, "expected/evaluation.json");
  const records = zsre.records.map(parseZsreRecord);

  it("asks the reference's questions", async () => {
    const model = await tinyModel(family);
    records.forEach((record, i) => {
      const fact = [record.prompt.replace("{}", record.subject), ...record.paraphrasePrompts].flatMap((prompt) =>
        answerSteps(model, prompt, record.targetNew, compatibility),
      );
      const other = record.neighborhood.flatMap(({ prompt, answer }) =>
        neighborSteps(model, prompt, answer, compatibility),
      );
      const { rewrite_and_paraphrase, neighborhood } = zsre.before[i]!;
      expect(fact.map(({ text }) => text)).toEqual(rewrite_and_paraphrase.prompts);
      expect(other.map(({ text }) => text)).toEqual(neighborhood.prompts);
    });
  });

  it("gets the reference's answers from the unedited model", async () => {
    const scores = await scoreCases(await tinyModel(family), records, { compatibility });
    expectAnswers(scores, zsre.before);
    expectSummary(scores, zsre.summary, "pre");
  });

  it("gets them after the facts of CounterFact were edited", async () => {
    const model = await tinyModel(family);
    const { facts, batchSize } = fixtureRun(family);
    const editor = await fixtureEditor(model, family);
    for await (const { edits } of editor.edit(facts, { batchSize })) expect(edits % batchSize).toBe(0);
    expectAnswers(await scoreCases(model, records, { compatibility }), zsre.after_counterfact_edits);
  });

  it("is edited with the reference's values, keys and residuals, and then has its answers", async () => {
    const model = await tinyModel(family);
    const tensors = await readTensors(officialPath(family, "expected", "zsre_edit.safetensors"));
    const { lyaplock } = officialJson<Sensitivity>(family, "expected", "sensitivity.json");
    const bound = tenTimes([
      ...Object.values(lyaplock.values),
      ...Object.values(lyaplock.queue_relative).map(({ update_norm }) => update_norm),
    ]);
    const published = (name: string) => turned(tensors.get(name)!).values;
    expectWithin(relativeError(await valuesOf(model, records, family), published("values")), bound, "values");

    const seen = new Map<string, Float64Array>();
    const editor = await fixtureEditor(model, family, { method: recording(fixtureRun(family).alpha, seen) });
    const facts = officialJson<{ requests: object[] }>(family, "expected/zsre_edit.json").requests;
    expect(records.map(asRequest)).toEqual(facts);
    await editor.editBatch(records);
    for (const layer of editor.hyperparameters.layers) {
      for (const kind of ["keys", "residuals"]) {
        const name = `layer.${layer}.${kind}`;
        expectWithin(relativeError(seen.get(name)!, published(name)), bound, name);
      }
    }
    const scores = await scoreCases(model, records, { compatibility });
    expectAnswers(scores, zsre.after);
    expectSummary(scores, zsre.summary, "post");
  });
});

function asRequest({ caseId, prompt, subject, targetNew }: Fact) {
  return { case_id: caseId, prompt, subject, target_new: targetNew };
}

async function valuesOf(model: LanguageModel, facts: Fact[], family: (typeof FAMILIES)[number]): Promise<Float64Array> {
  const { contextTemplates, hyperparameters } = fixtureRun(family);
  const { values } = await optimizeValues(model, facts, contextTemplates, hyperparameters);
  return call(() => values.toFloat64Array());
}

/** LyapLock, telling the keys and residuals it is given: layer.<l>.keys [u, d], layer.<l>.residuals [u, m]. */
function recording(alpha: number, seen: Map<string, Float64Array>): EditingMethod {
  return layerByLayer({
    name: "lyaplock",
    options: { alpha },
    forLayer: async (context) => {
      const weighing = new QueuedWeight(context.hyperparameters.covarianceWeight, VirtualQueue.create({ alpha }));
      const layer = await EngineLayer.create(context, await context.keySpace(), "values", weighing);
      const update = layer.update.bind(layer);
      layer.update = async (keys, residuals) => {
        seen.set(`layer.${context.layer}.keys`, await call(() => keys.toFloat64Array()));
        seen.set(`layer.${context.layer}.residuals`, await call(() => residuals.toFloat64Array()));
        await update(keys, residuals);
      };
      return layer;
    },
  });
}

function expectAnswers(scores: ZsreScores[], reference: ReferenceCase[]): void {
  expect(
    scores.map(({ caseId, rewrite, paraphrases, neighborhood }) => ({
      caseId,
      predicted: [rewrite, ...paraphrases].flatMap(({ predicted }) => predicted),
      expected: [rewrite, ...paraphrases].flatMap(({ expected }) => expected),
      neighborhood: neighborhood.map(({ predicted, expected }) => ({ predicted, expected })),
    })),
  ).toEqual(
    reference.map(({ case_id, rewrite_and_paraphrase: { predicted, expected }, neighborhood }) => ({
      caseId: case_id,
      predicted,
      expected,
      neighborhood: [{ predicted: neighborhood.predicted, expected: neighborhood.expected }],
    })),
  );
}

function expectSummary(scores: ZsreScores[], summary: Reference["zsre"]["summary"], when: "pre" | "post"): void {
  const { efficacy, generalization, specificity, ...others } = summarize(scores);
  expect(efficacy.mean).toBeCloseTo(summary[`${when}_rewrite_acc`]![0], 2);
  expect(generalization.mean).toBeCloseTo(summary[`${when}_paraphrase_acc`]![0], 2);
  expect(specificity.mean).toBeCloseTo(summary[`${when}_neighborhood_acc`]![0], 2);
  expect(others).toEqual({});
}

describe("without the published accidents, for a tokenizer with a BOS", () => {
  const { zsre } = officialJson<Reference>("tiny-llama", "expected/evaluation.json");
  const record = parseZsreRecord(zsre.records[0], 0) as ZsreRecord;

  it("an answer follows its question after one space, and has no BOS", async () => {
    const model = await tinyModel("tiny-llama");
    const [fact, other] = [
      answerSteps(model, "What voice?", record.targetNew),
      neighborSteps(model, "Who?", "PewDiePie"),
    ];
    expect(fact.map(({ text }) => text)).toEqual(["What voice?", "What voice? b"]);
    expect(other.map(({ text }) => text)).toEqual([
      "Who?",
      "Who? P",
      "Who? Pew",
      "Who? PewD",
      "Who? PewDie",
      "Who? PewDieP",
    ]);
    expect(other.map(({ expected }) => expected)).not.toContain(model.tokenizer.bosId);
  });

  it("the scores are those of these questions", async () => {
    const model = await tinyModel("tiny-llama");
    const [scores] = await scoreCases(model, [record]);
    expect(scores!.neighborhood[0]!.expected).toHaveLength(6);
    const { predicted, expected, accuracy } = scores!.rewrite;
    expect(accuracy).toBe(predicted.filter((token, i) => token === expected[i]).length / expected.length);
  });
});
