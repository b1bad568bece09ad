import { Turns } from "../base/yielding.js";
import type { KnownFact } from "../data/records.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { packTokens } from "../model/token-batch.js";
import { call } from "../native/index.js";
import { subjectRange } from "./subject-range.js";

/** Why a fact is not traced: the model answers otherwise, or the prompt cannot be used. */
export interface SkippedTrace {
  fact: KnownFact;
  reason: "unknown" | "unusable";
  message: string;
}

/** A fact that the model knows, as tokens. */
export interface KnownPrompt {
  fact: KnownFact;
  tokens: number[];
  /** Tokens of the subject, [begin, end). */
  subject: [begin: number, end: number];
  /** The most probable token after the prompt, and its text. */
  answer: number;
  answerText: string;
}

/** Prompts of one call of native code. */
const PROMPTS_AT_ONCE = 16;

/**
 * The facts that the model knows, in order: the most probable next token, without the space around it, is the attribute
 * (reference, section 14). An attribute of several tokens is never known so.
 */
export async function* knownPrompts(
  model: LanguageModel,
  facts: readonly KnownFact[],
  onSkip: ((skip: SkippedTrace) => void) | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<KnownPrompt> {
  for (let first = 0; first < facts.length; first += PROMPTS_AT_ONCE) {
    const prompts = await encode(model, facts.slice(first, first + PROMPTS_AT_ONCE), onSkip, signal);
    if (prompts.length === 0) continue;
    const batch = packTokens(prompts.map(({ tokens }) => tokens));
    const rows = batch.offsets.slice(1).map((end) => end - 1);
    const { greedy } = await call(
      (cancellation) => model.native.score(batch, rows, new Int32Array(rows.length), cancellation),
      signal,
    );
    for (const [i, prompt] of prompts.entries()) {
      const answer = greedy[i]!;
      const answerText = model.tokenizer.decode([answer]);
      const { fact } = prompt;
      if (answerText.trim() === fact.attribute.trim()) yield { ...prompt, answer, answerText };
      else onSkip?.({ fact, reason: "unknown", message: `the model goes on with "${answerText}"` });
    }
  }
}

async function encode(
  model: LanguageModel,
  facts: readonly KnownFact[],
  onSkip: ((skip: SkippedTrace) => void) | undefined,
  signal: AbortSignal | undefined,
): Promise<Pick<KnownPrompt, "fact" | "tokens" | "subject">[]> {
  const turns = new Turns(signal);
  const prompts: Pick<KnownPrompt, "fact" | "tokens" | "subject">[] = [];
  for (const fact of facts) {
    await turns.next();
    try {
      const tokens = model.encodePrompt(fact.prompt);
      const subject = subjectRange(model.tokenizer, tokens, fact.subject);
      if (subject === undefined) {
        const what = `the subject "${fact.subject}" is not in the prompt as its tokens read`;
        throw new LyaplockError("ERR_SUBJECT_NOT_IN_PROMPT", what);
      }
      prompts.push({ fact, tokens, subject });
    } catch (error) {
      if (!(error instanceof LyaplockError)) throw error;
      onSkip?.({ fact, reason: "unusable", message: error.message });
    }
  }
  return prompts;
}
