import type { Turns } from "../base/yielding.js";
import type { ZsreRecord } from "../data/records.js";
import { fillPrompt, withLeadingSpace } from "../edit/prompts.js";
import type { LanguageModel } from "../model/language-model.js";
import type { AnswerSpan, Answers, QueryList } from "./queries.js";
import type { AnswerScore, ZsreScores } from "./scores.js";
import { targetIds } from "./target-ids.js";

/** Accidents of the published evaluation, for comparing numbers with it. They concern tokenizers that put a BOS in front. */
export interface ZsreCompatibility {
  /** Two spaces before the part of the answer that was given so far (reference, Q6). */
  doubleSpace?: boolean;
  /** The BOS is the first token of an answer about something else, and stays in the prompt of the next ones (Q7). */
  bosInAnswers?: boolean;
}

/** A text, and the token that shall come next. */
export interface AnswerStep {
  text: string;
  expected: number;
}

/**
 * Asks for the answer to each of a record's questions, token by token (reference, section 12.2): after the question and the
 * tokens of the answer before it, joined as text and encoded anew.
 *
 * @returns what makes scores of the answers.
 * @throws ERR_EMPTY_TARGET, ERR_TOO_LONG, ERR_ABORTED
 */
export async function askZsre(
  model: LanguageModel,
  record: ZsreRecord,
  queries: QueryList,
  turns: Turns,
  compatibility: ZsreCompatibility = {},
): Promise<(answers: Answers) => ZsreScores> {
  const ask = async (prompt: string, steps: AnswerStep[]) => {
    const spans: AnswerSpan[] = [];
    for (const { text, expected } of steps) {
      await turns.next();
      spans.push(queries.add(model.encodePrompt(text), [expected]));
    }
    return (answers: Answers) => scoreOf(prompt, spans, answers);
  };
  const answer = (prompt: string) => ask(prompt, answerSteps(model, prompt, record.targetNew, compatibility));

  const rewrite = await answer(fillPrompt(record.prompt, record.subject));
  const paraphrases: Awaited<ReturnType<typeof ask>>[] = [];
  for (const prompt of record.paraphrasePrompts) paraphrases.push(await answer(prompt));
  const neighborhood: typeof paraphrases = [];
  for (const { prompt, answer } of record.neighborhood) {
    neighborhood.push(await ask(prompt, neighborSteps(model, prompt, answer, compatibility)));
  }
  return (answers) => ({
    caseId: record.caseId,
    rewrite: rewrite(answers),
    paraphrases: paraphrases.map((read) => read(answers)),
    neighborhood: neighborhood.map((read) => read(answers)),
  });
}

/** The texts after which the tokens of a fact's answer are asked for. */
export function answerSteps(
  model: LanguageModel,
  prompt: string,
  answer: string,
  { doubleSpace = false }: ZsreCompatibility = {},
): AnswerStep[] {
  const space = doubleSpace && model.tokenizer.addsBos ? " " : "";
  return stepsOf(model, prompt, targetIds(model, answer), (given) => space + withLeadingSpace(given));
}

/** Those for the answer to a question about something else. */
export function neighborSteps(
  model: LanguageModel,
  prompt: string,
  answer: string,
  { bosInAnswers = false }: ZsreCompatibility = {},
): AnswerStep[] {
  if (!bosInAnswers || !model.tokenizer.addsBos) {
    return stepsOf(model, prompt, targetIds(model, answer), withLeadingSpace);
  }
  return stepsOf(model, prompt, model.tokenizer.encode(withLeadingSpace(answer)), (given) => given);
}

function stepsOf(
  { tokenizer }: LanguageModel,
  prompt: string,
  answer: readonly number[],
  continuation: (given: string) => string,
): AnswerStep[] {
  return answer.map((token, i) => ({
    text: i === 0 ? prompt : prompt + continuation(tokenizer.decode(answer.slice(0, i))),
    // A token that is but a part of a character is not what its text is encoded as; the reference expects the latter.
    expected: tokenizer.encodeTarget(tokenizer.decode([token]))[0] ?? token,
  }));
}

function scoreOf(prompt: string, spans: readonly AnswerSpan[], { greedy, targets }: Answers): AnswerScore {
  const predicted = spans.map(({ first }) => greedy[first]!);
  const expected = spans.map(({ first }) => targets[first]!);
  const hits = predicted.filter((token, i) => token === expected[i]).length;
  return { prompt, predicted, expected, accuracy: hits / expected.length };
}
