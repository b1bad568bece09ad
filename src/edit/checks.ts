import { Turns } from "../base/yielding.js";
import { occurrences } from "../data/fact.js";
import type { Fact } from "../data/records.js";
import type { ModelConfig } from "../model/config.js";
import type { Tokenizer } from "../model/tokenizer.js";
import { conflictsOf } from "./conflicts.js";
import type { ContextTemplates } from "./context-templates.js";
import type { FactProblem } from "./fact-problem.js";
import { inContext, splitTemplate, withLeadingSpace } from "./prompts.js";

/** How a fact reads in tokens, and what is wrong with it. */
export interface FactCheck {
  fact: Fact;
  /** Position of the subject's last token in the bare prompt, BOS counted; −1 when it cannot be said. */
  lookup: number;
  /** The text of that token: it should be the end of the subject. */
  lookupToken: string;
  promptTokens: number;
  /** The target's tokens as texts; the first begins with the leading space. */
  targetTokens: string[];
  problems: FactProblem[];
}

/** The part of a `LanguageModel` that facts are checked against: no weights are needed. */
export interface CheckedModel {
  tokenizer: Tokenizer;
  config: Pick<ModelConfig, "positions">;
}

/**
 * Looks at every fact before the first edit, for what makes edits fail in silence: a lookup position that is not the
 * subject's end, a target that does not survive its tokens, texts beyond the position limit, facts that contradict each
 * other within the list. Bad facts do not throw; they have `problems`.
 */
export async function checkFacts(
  model: CheckedModel,
  facts: readonly Fact[],
  contextTemplates: ContextTemplates,
  { signal }: { signal?: AbortSignal } = {},
): Promise<FactCheck[]> {
  const templates = contextTemplates.flat();
  const conflicts = conflictsOf(facts);
  const turns = new Turns(signal);
  const checks: FactCheck[] = [];
  for (const fact of facts) {
    await turns.next();
    const check = checkFact(model, fact, templates);
    checks.push({ ...check, problems: [...check.problems, ...(conflicts.get(fact) ?? [])] });
  }
  return checks;
}

function checkFact({ tokenizer, config }: CheckedModel, fact: Fact, templates: readonly string[]): FactCheck {
  const written = writtenProblems(fact);
  if (written.length > 0) {
    return { fact, lookup: -1, lookupToken: "", promptTokens: 0, targetTokens: [], problems: written };
  }
  const target = withLeadingSpace(fact.targetNew);
  const targetIds = tokenizer.encodeTarget(target);
  const contexts = [...new Set(["{}", ...templates])].map((template) => fillContext(tokenizer, template, fact));
  const problems = [
    ...lookupProblems(tokenizer, fact.subject, contexts),
    ...targetProblems(tokenizer, target, targetIds, contexts),
    ...specialTokenProblems(tokenizer, contexts[0]!, targetIds),
    ...lengthProblems(config.positions, targetIds, contexts),
  ];
  const { startIds, wholeIds } = contexts[0]!;
  const lookup = startIds.length - 1;
  const lookupToken = tokenizer.decode(wholeIds.slice(lookup, lookup + 1));
  const targetTokens = targetIds.map((id) => tokenizer.decode([id]));
  return { fact, lookup, lookupToken, promptTokens: wholeIds.length, targetTokens, problems };
}

/** A fact's prompt within a context: as text, and in tokens up to the subject's end and whole. */
interface FilledContext {
  whole: string;
  startIds: number[];
  wholeIds: number[];
}

function fillContext(tokenizer: Tokenizer, template: string, { prompt, subject }: Fact): FilledContext {
  const [before, after] = splitTemplate(inContext(template, prompt));
  const start = before + subject;
  const whole = start + after;
  return { whole, startIds: tokenizer.encode(start), wholeIds: tokenizer.encode(whole) };
}

/** What can be said without a tokenizer. */
function writtenProblems({ prompt, subject, targetNew }: Fact): FactProblem[] {
  const problems: FactProblem[] = [];
  const places = occurrences(prompt, "{}");
  if (places !== 1) {
    const message = `"{}", the place of the subject, must stand once in the prompt; "${prompt}" has it ${places} times`;
    problems.push({ code: "ERR_SUBJECT_NOT_IN_PROMPT", message });
  }
  if (subject.trim() === "") problems.push({ code: "ERR_FACT", message: `the subject of "${prompt}" is empty` });
  if (targetNew.trim() === "") {
    problems.push({ code: "ERR_EMPTY_TARGET", message: `the target of "${prompt}" (${subject}) is empty` });
  }
  return problems;
}

/** The tokens up to the subject's end must be the first tokens of the whole, and the last of them that end. */
function lookupProblems(tokenizer: Tokenizer, subject: string, contexts: FilledContext[]): FactProblem[] {
  for (const { whole, startIds, wholeIds } of contexts) {
    if (!startIds.every((id, i) => id === wholeIds[i])) {
      const what = `no token ends where the subject "${subject}" ends in "${whole}"`;
      return [{ code: "ERR_TOKENIZER", message: `${what}: its last characters share one with what follows` }];
    }
    const ends = (ids: number[]) => tokenizer.decode(ids).endsWith(subject);
    const shown = tokenizer.decode(startIds.slice(-1));
    if (!ends(startIds) || ends(startIds.slice(0, -1)) || shown.trim() === "") {
      const message = `the lookup token "${shown}" is not the end of the subject "${subject}" in "${whole}"`;
      return [{ code: "ERR_TOKENIZER", message }];
    }
  }
  return [];
}

/** The target's tokens must read as the target, and be what follows the prompt when both are encoded as one text. */
function targetProblems(
  tokenizer: Tokenizer,
  target: string,
  targetIds: number[],
  contexts: FilledContext[],
): FactProblem[] {
  const read = tokenizer.decode(targetIds);
  if (read !== target) {
    return [{ code: "ERR_TOKENIZER", message: `the target "${target}" reads "${read}" when its tokens are decoded` }];
  }
  for (const { whole, wholeIds } of contexts) {
    const expected = [...wholeIds, ...targetIds];
    const found = tokenizer.encode(whole + target);
    if (found.length === expected.length && found.every((id, i) => id === expected[i])) continue;
    const what = `after "${whole}" the target "${target}" is not made of the tokens it has alone`;
    return [{ code: "ERR_TOKENIZER", message: `${what}; does the prompt end with a space?` }];
  }
  return [];
}

/** A BOS anywhere but in front comes from text such as "<|endoftext|>" in a fact. */
function specialTokenProblems(
  { bosId, bosText, addsBos }: Tokenizer,
  { whole, wholeIds }: FilledContext,
  targetIds: number[],
): FactProblem[] {
  if (bosId === undefined) return [];
  const inPrompt = wholeIds.includes(bosId, addsBos ? 1 : 0);
  if (!inPrompt && !targetIds.includes(bosId)) return [];
  const place = inPrompt ? "prompt" : "target";
  return [{ code: "ERR_FACT", message: `the special token ${bosText} stands inside the ${place} of "${whole}"` }];
}

/** The last token of the target is predicted, not read. */
function lengthProblems(positions: number, targetIds: number[], contexts: FilledContext[]): FactProblem[] {
  const longest = Math.max(...contexts.map(({ wholeIds }) => wholeIds.length)) + targetIds.length - 1;
  if (longest <= positions) return [];
  const what = `with its longest context and its target, "${contexts[0]!.whole.slice(0, 60)}…" has ${longest} tokens`;
  return [{ code: "ERR_TOO_LONG", message: `${what}; the model has ${positions} positions` }];
}
