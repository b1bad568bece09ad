import { Turns } from "../base/yielding.js";
import { withLeadingSpace } from "../edit/prompts.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { call } from "../native/index.js";
import { QueryList } from "./queries.js";
import { over, type Statistic } from "./summarize.js";

/** What a model is asked: whether it goes on after the prompt with the attribute. */
export interface KnowledgeQuestion {
  prompt: string;
  attribute: string;
  relationId?: string;
}

/** Shares of facts that a model knows, in percent. */
export interface Knowledge {
  accuracy: Statistic;
  /** By relation, where the facts name theirs. */
  relations: Record<string, Statistic>;
}

/** Questions of one call of native code. Part of what makes numbers equal bit for bit, so it is fixed. */
const QUESTIONS_AT_ONCE = 64;

export interface KnowledgeOptions {
  signal?: AbortSignal | undefined;
  onProgress?(progress: { facts: number }): void;
}

/**
 * The share of facts that a model knows: every token of the attribute is the most probable one where it stands.
 *
 * @throws ERR_INVALID_ARGUMENT without facts; ERR_EMPTY_TARGET, ERR_TOO_LONG, ERR_ABORTED
 */
export async function knowledge(
  model: LanguageModel,
  facts: readonly KnowledgeQuestion[],
  { signal, onProgress }: KnowledgeOptions = {},
): Promise<Knowledge> {
  if (facts.length === 0) throw new LyaplockError("ERR_INVALID_ARGUMENT", "there are no facts to ask for");
  const turns = new Turns(signal);
  const known: boolean[] = [];
  for (let first = 0; first < facts.length; first += QUESTIONS_AT_ONCE) {
    await turns.next();
    known.push(...(await ask(model, facts.slice(first, first + QUESTIONS_AT_ONCE), signal)));
    onProgress?.({ facts: known.length });
  }
  const answers = facts.map(({ relationId }, i) => ({ relationId, share: known[i] ? 1 : 0 }));
  const relations = [...new Set(facts.flatMap(({ relationId }) => relationId ?? []))];
  return {
    accuracy: over(answers, ({ share }) => share),
    relations: Object.fromEntries(
      relations.map((relation) => [
        relation,
        over(answers, ({ relationId, share }) => (relationId === relation ? share : undefined)),
      ]),
    ),
  };
}

async function ask(
  model: LanguageModel,
  facts: readonly KnowledgeQuestion[],
  signal: AbortSignal | undefined,
): Promise<boolean[]> {
  const queries = new QueryList();
  const spans = facts.map(({ prompt, attribute }) => {
    const target = model.tokenizer.encodeTarget(withLeadingSpace(attribute));
    if (target.length === 0) throw new LyaplockError("ERR_EMPTY_TARGET", `the attribute "${attribute}" has no tokens`);
    return queries.add(model.encodePrompt(prompt, target.length - 1), target);
  });
  const { batch, rows, targets } = queries.pack();
  const { greedy } = await call((cancellation) => model.native.score(batch, rows, targets, cancellation), signal);
  return spans.map(({ first, count }) =>
    targets.subarray(first, first + count).every((token, i) => token === greedy[first + i]),
  );
}
