import type { DatasetRecord } from "../data/records.js";
import { LyaplockError } from "../errors.js";
import { type CaseScores, type EvaluationMeasures, evaluate, type Statistic, summarize } from "../evaluate/index.js";
import type { LanguageModel } from "../model/language-model.js";

/** Facts at the beginning of a run by which one sees whether it forgets. */
const FIRST_FACTS = 100;

/**
 * Efficacy on the first hundred of the edited facts, or on all while there are fewer. Their own prompts alone are put to the
 * model, so that this can be done after every batch. A model whose answers are no numbers any more recalls nothing.
 */
export async function measureRecall(
  model: LanguageModel,
  edited: readonly DatasetRecord[],
  { compatibility }: EvaluationMeasures,
  signal?: AbortSignal,
): Promise<Statistic> {
  const asked = edited.slice(0, FIRST_FACTS).map(withoutOtherPrompts);
  const cases: CaseScores[] = [];
  try {
    for await (const scores of evaluate(model, asked, { compatibility, signal })) cases.push(scores);
  } catch (error) {
    if (!(error instanceof LyaplockError && error.code === "ERR_NOT_FINITE")) throw error;
    return { mean: 0, standardError: 0, count: asked.length };
  }
  return summarize(cases).efficacy;
}

function withoutOtherPrompts(record: DatasetRecord): DatasetRecord {
  return record.kind === "zsre"
    ? { ...record, paraphrasePrompts: [], neighborhood: [] }
    : { ...record, paraphrasePrompts: [], neighborhoodPrompts: [] };
}
