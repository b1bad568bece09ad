import { Turns } from "../base/yielding.js";
import type { CounterFactRecord } from "../data/records.js";
import type { LanguageModel } from "../model/language-model.js";
import type { Consistency } from "./consistency.js";
import { fluencyOf } from "./fluency.js";
import type { GenerationScores } from "./scores.js";

/** Tokens of a text, its prompt included. */
const TEXT_TOKENS = 100;

/** A CounterFact record has ten prompts, and a cache of 4,000 tokens is a fraction of any model's weights. */
const CASES_AT_ONCE = 4;

const SEED = 42;

export interface GenerationMeasures {
  consistency?: Consistency | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Continues the generation prompts of records that have them (reference, sections 4 and 12.1: among the 5 most probable tokens,
 * 100 tokens in all) and measures the texts. What is drawn for a record is decided by the records it comes with, so that a
 * model before and after its edits draws alike.
 *
 * @returns an element for each record; undefined where it has no prompts.
 * @throws ERR_TOO_LONG for a model of fewer than 100 positions, ERR_ABORTED, ERR_NOT_FINITE
 */
export async function generateCases(
  model: LanguageModel,
  records: readonly CounterFactRecord[],
  { consistency, signal }: GenerationMeasures = {},
): Promise<(GenerationScores | undefined)[]> {
  const scores: (GenerationScores | undefined)[] = [];
  const turns = new Turns(signal);
  for (let first = 0; first < records.length; first += CASES_AT_ONCE) {
    const group = records.slice(first, first + CASES_AT_ONCE);
    const prompts = group.flatMap(({ generationPrompts }) => generationPrompts);
    const seed = SEED + Math.abs(group[0]!.caseId);
    const texts = await model.generate(prompts, { maxLength: TEXT_TOKENS, topK: 5, seed, signal });
    for (const record of group) {
      const own = texts.splice(0, record.generationPrompts.length);
      scores.push(own.length === 0 ? undefined : await measured(record, own, consistency, turns));
    }
  }
  return scores;
}

async function measured(
  { relationId, targetNewId }: CounterFactRecord,
  texts: string[],
  consistency: Consistency | undefined,
  turns: Turns,
): Promise<GenerationScores> {
  let fluency = 0;
  for (const text of texts) {
    await turns.next();
    fluency += (await fluencyOf(text)) / texts.length;
  }
  const scores: GenerationScores = { texts, fluency };
  if (consistency === undefined || relationId === undefined || targetNewId === undefined) return scores;
  const likeness = await consistency.of(texts, relationId, targetNewId);
  return likeness === undefined ? scores : { ...scores, consistency: likeness };
}
