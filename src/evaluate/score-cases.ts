import { Turns } from "../base/yielding.js";
import type { CounterFactRecord, DatasetRecord, ZsreRecord } from "../data/records.js";
import type { LanguageModel } from "../model/language-model.js";
import { call } from "../native/index.js";
import type { Consistency } from "./consistency.js";
import { type GenerationMeasures, generateCases } from "./generate-cases.js";
import { type Answers, QueryList } from "./queries.js";
import { askCounterFact } from "./score-counterfact.js";
import { askZsre, type ZsreCompatibility } from "./score-zsre.js";
import type { CaseScores, CounterFactScores, ZsreScores } from "./scores.js";

export interface ScoringOptions {
  /** Continue the generation prompts of CounterFact records, and measure the texts. */
  generate?: boolean | undefined;
  consistency?: Consistency | undefined;
  compatibility?: ZsreCompatibility | undefined;
  signal?: AbortSignal | undefined;
}

/** The scores that a kind of record has. */
export type ScoresOf<R extends DatasetRecord> = R extends CounterFactRecord ? CounterFactScores : ZsreScores;

/**
 * Scores of every record, each by its kind, in one batch: the same list of records on the same model gives the
 * same bits.
 *
 * @throws ERR_EMPTY_TARGET, ERR_TOO_LONG, ERR_ABORTED, ERR_NOT_FINITE
 */
export async function scoreCases<R extends DatasetRecord>(
  model: LanguageModel,
  records: readonly R[],
  { generate = false, consistency, compatibility, signal }: ScoringOptions = {},
): Promise<ScoresOf<R>[]> {
  if (records.length === 0) return [];
  const queries = new QueryList();
  const turns = new Turns(signal);
  const readers: ((answers: Answers) => CaseScores)[] = [];
  for (const record of records as readonly (CounterFactRecord | ZsreRecord)[]) {
    readers.push(
      record.kind === "zsre"
        ? await askZsre(model, record, queries, turns, compatibility)
        : await askCounterFact(model, record, queries, turns),
    );
  }
  const { batch, rows, targets } = queries.pack();
  const { losses, greedy } = await call(
    (cancellation) => model.native.score(batch, rows, targets, cancellation),
    signal,
  );
  const scores = readers.map((read) => read({ losses, greedy, targets })) as ScoresOf<R>[];
  return generate ? withGeneration(model, records, scores, { consistency, signal }) : scores;
}

async function withGeneration<R extends DatasetRecord>(
  model: LanguageModel,
  records: readonly R[],
  scores: ScoresOf<R>[],
  measures: GenerationMeasures,
): Promise<ScoresOf<R>[]> {
  const prompted = records.filter((record) => record.kind === "counterfact" && record.generationPrompts.length > 0);
  const generated = await generateCases(model, prompted as unknown as CounterFactRecord[], measures);
  const byCase = new Map(prompted.map((record, i) => [record, generated[i]]));
  return scores.map((score, i) => {
    const generation = byCase.get(records[i]!);
    return generation === undefined ? score : { ...score, generation };
  });
}
