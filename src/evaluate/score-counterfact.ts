import type { Turns } from "../base/yielding.js";
import type { CounterFactRecord } from "../data/records.js";
import { fillPrompt } from "../edit/prompts.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import type { AnswerSpan, Answers, QueryList } from "./queries.js";
import type { CounterFactScores, PromptScore } from "./scores.js";
import { targetIds } from "./target-ids.js";

/** A prompt under test: which target is right, and where the answers for both stand. */
interface Test {
  prompt: string;
  right: "targetNew" | "targetTrue";
  targetNew: AnswerSpan;
  targetTrue: AnswerSpan;
}

/**
 * Asks how a model rates both targets of a record after its prompt, paraphrases and neighbourhood prompts (reference, section
 * 12.1). A target follows its prompt with one space between, as its own tokens: those of " " + target, without BOS.
 *
 * @returns what makes scores of the answers.
 * @throws ERR_EMPTY_TARGET, ERR_TOO_LONG, ERR_INVALID_ARGUMENT for an empty prompt, ERR_ABORTED
 */
export async function askCounterFact(
  model: LanguageModel,
  record: CounterFactRecord,
  queries: QueryList,
  turns: Turns,
): Promise<(answers: Answers) => CounterFactScores> {
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
  const rewrite = await test(fillPrompt(record.prompt, record.subject), "targetNew");
  const paraphrases = await all(record.paraphrasePrompts, "targetNew");
  const neighborhood = await all(record.neighborhoodPrompts, "targetTrue");
  return (answers) => {
    const score = (test: Test) => scoreOf(test, answers);
    return {
      caseId: record.caseId,
      rewrite: score(rewrite),
      paraphrases: paraphrases.map(score),
      neighborhood: neighborhood.map(score),
    };
  };
}

function scoreOf(test: Test, { losses, greedy, targets }: Answers): PromptScore {
  const targetNew = mean(losses, test.targetNew);
  const targetTrue = mean(losses, test.targetTrue);
  if (!Number.isFinite(targetNew) || !Number.isFinite(targetTrue)) {
    const what = `the losses after "${test.prompt}" are ${targetNew} and ${targetTrue}; the model's weights are damaged`;
    throw new LyaplockError("ERR_NOT_FINITE", what);
  }
  const { first, count } = test[test.right];
  return {
    prompt: test.prompt,
    targetNew,
    targetTrue,
    success: test.right === "targetNew" ? targetTrue > targetNew : targetTrue < targetNew,
    correct: targets.subarray(first, first + count).every((token, i) => token === greedy[first + i]),
  };
}

function mean(values: Float32Array, { first, count }: AnswerSpan): number {
  let sum = 0;
  for (let i = first; i < first + count; i++) sum += values[i]!;
  return sum / count;
}
