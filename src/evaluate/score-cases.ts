import { Turns } from "../base/yielding.js";
import type { CounterFactRecord } from "../data/records.js";
import { fillPrompt, withLeadingSpace } from "../edit/prompts.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { call } from "../native/index.js";
import { type AnswerSpan, QueryList } from "./queries.js";
import type { CaseScores, PromptScore } from "./scores.js";

/** A prompt under test: which target is right, and where the answers for both stand. */
interface Test {
  prompt: string;
  right: "targetNew" | "targetTrue";
  targetNew: AnswerSpan;
  targetTrue: AnswerSpan;
}

interface CaseTests {
  caseId: number;
  rewrite: Test;
  paraphrases: Test[];
  neighborhood: Test[];
}

/**
 * Rates both targets of every record after its prompt, paraphrases and neighbourhood prompts (reference, section 12.1), in
 * one batch: the same list of records on the same model gives the same bits.
 *
 * A target follows its prompt with one space between, as its own tokens: those of " " + target, without BOS.
 *
 * @throws ERR_EMPTY_TARGET, ERR_TOO_LONG, ERR_ABORTED, ERR_NOT_FINITE
 */
export async function scoreCases(
  model: LanguageModel,
  records: readonly CounterFactRecord[],
  { signal }: { signal?: AbortSignal } = {},
): Promise<CaseScores[]> {
  if (records.length === 0) return [];
  const queries = new QueryList();
  const turns = new Turns(signal);
  const cases: CaseTests[] = [];
  for (const record of records) cases.push(await testsOf(model, record, queries, turns));

  const { batch, rows, targets } = queries.pack();
  const answers = await call((cancellation) => model.native.score(batch, rows, targets, cancellation), signal);
  const hits = answers.greedy.map((token, i) => (token === targets[i] ? 1 : 0));
  const score = (test: Test) => scoreOf(test, answers.losses, hits);
  return cases.map(({ caseId, rewrite, paraphrases, neighborhood }) => ({
    caseId,
    rewrite: score(rewrite),
    paraphrases: paraphrases.map(score),
    neighborhood: neighborhood.map(score),
  }));
}

async function testsOf(
  model: LanguageModel,
  record: CounterFactRecord,
  queries: QueryList,
  turns: Turns,
): Promise<CaseTests> {
  const targets = { new: targetIds(model, record.targetNew), true: targetIds(model, record.targetTrue) };
  const room = Math.max(targets.new.length, targets.true.length) - 1;
  const test = async (prompt: string, right: Test["right"]): Promise<Test> => {
    await turns.next();
    const tokens = model.encodePrompt(prompt, room);
    return {
      prompt,
      right,
      targetNew: queries.add(tokens, targets.new),
      targetTrue: queries.add(tokens, targets.true),
    };
  };
  const all = async (prompts: string[], right: Test["right"]) => {
    const tests: Test[] = [];
    for (const prompt of prompts) tests.push(await test(prompt, right));
    return tests;
  };
  return {
    caseId: record.caseId,
    rewrite: await test(fillPrompt(record.prompt, record.subject), "targetNew"),
    paraphrases: await all(record.paraphrasePrompts, "targetNew"),
    neighborhood: await all(record.neighborhoodPrompts, "targetTrue"),
  };
}

function targetIds(model: LanguageModel, target: string): number[] {
  const ids = model.tokenizer.encodeTarget(withLeadingSpace(target));
  if (ids.length === 0) throw new LyaplockError("ERR_EMPTY_TARGET", `the target "${target}" has no tokens`);
  return ids;
}

function scoreOf(test: Test, losses: Float32Array, hits: Int32Array): PromptScore {
  const targetNew = mean(losses, test.targetNew);
  const targetTrue = mean(losses, test.targetTrue);
  if (!Number.isFinite(targetNew) || !Number.isFinite(targetTrue)) {
    const what = `the losses after "${test.prompt}" are ${targetNew} and ${targetTrue}; the model's weights are damaged`;
    throw new LyaplockError("ERR_NOT_FINITE", what);
  }
  return {
    prompt: test.prompt,
    targetNew,
    targetTrue,
    success: test.right === "targetNew" ? targetTrue > targetNew : targetTrue < targetNew,
    correct: mean(hits, test[test.right]) === 1,
  };
}

function mean(values: Float32Array | Int32Array, { first, count }: AnswerSpan): number {
  let sum = 0;
  for (let i = first; i < first + count; i++) sum += values[i]!;
  return sum / count;
}
