import type { Fact } from "../data/records.js";
import { LyaplockError } from "../errors.js";
import type { Tokenizer } from "../model/tokenizer.js";
import type { ContextTemplates } from "./context-templates.js";

const SLOT = "{}";

/**
 * Text before and after the one "{}" of a template.
 *
 * @throws ERR_SUBJECT_NOT_IN_PROMPT when there is none, or more than one.
 */
export function splitTemplate(template: string): [before: string, after: string] {
  const parts = template.split(SLOT);
  if (parts.length === 2) return [parts[0]!, parts[1]!];
  const found = parts.length === 1 ? "none" : `${parts.length - 1} of them`;
  throw new LyaplockError(
    "ERR_SUBJECT_NOT_IN_PROMPT",
    `a prompt must name its subject's place with one "{}"; "${template}" has ${found}`,
  );
}

/** The template with its subject. */
export function fillPrompt(template: string, subject: string): string {
  const [before, after] = splitTemplate(template);
  return before + subject + after;
}

/** A context template around a prompt, whose own "{}" stays: ("The capital. {}", "{} is in") → "The capital. {} is in". */
export function inContext(context: string, prompt: string): string {
  const [before, after] = splitTemplate(context);
  return before + prompt + after;
}

/** Position of the subject's last token in the filled template (reference, section 3, "subject_last"). */
export function lookupPosition(tokenizer: Tokenizer, template: string, subject: string): number {
  const [before] = splitTemplate(template);
  return tokenizer.encode(before + subject).length - 1;
}

/** The target as it continues a prompt: with a space in front, where it has none (reference, section 3). */
export function withLeadingSpace(target: string): string {
  return target.startsWith(" ") ? target : ` ${target}`;
}

/** One tokenised prompt of a fact, and the position of its subject's last token. */
export interface FactPrompt {
  tokens: number[];
  lookup: number;
}

/** The prompts on which a value is optimised (reference, section 6): one for each context template, and the KL prompt. */
export function valuePrompts(
  tokenizer: Tokenizer,
  fact: Fact,
  contexts: ContextTemplates,
): { rewriting: FactPrompt[]; divergence: FactPrompt; target: number[] } {
  if (fact.targetNew.trim() === "")
    throw new LyaplockError("ERR_EMPTY_TARGET", `case ${fact.caseId} has an empty target`);
  const target = tokenizer.encodeTarget(withLeadingSpace(fact.targetNew));
  // Decoded, joined and encoded again as a whole, as the published code does: the last target token is never read.
  const read = tokenizer.decode(target.slice(0, -1));
  const rewriting = contexts.flat().map((context) => {
    const [before, after] = splitTemplate(inContext(context, fact.prompt));
    return tokenize(tokenizer, before + fact.subject, after + read);
  });
  return { rewriting, divergence: tokenize(tokenizer, fact.subject, " is a"), target };
}

/** The prompts whose keys are a fact's (reference, section 7), cut after the subject; the first is the bare one. */
export function keyPrompts(tokenizer: Tokenizer, fact: Fact, contexts: ContextTemplates): FactPrompt[] {
  return contexts.flat().map((context) => {
    const [before, after] = splitTemplate(inContext(context, fact.prompt));
    const { tokens, lookup } = tokenize(tokenizer, before + fact.subject, after);
    return { tokens: tokens.slice(0, lookup + 1), lookup };
  });
}

function tokenize(tokenizer: Tokenizer, upToSubject: string, rest: string): FactPrompt {
  return { tokens: tokenizer.encode(upToSubject + rest), lookup: tokenizer.encode(upToSubject).length - 1 };
}
