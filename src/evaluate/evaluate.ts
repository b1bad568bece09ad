import type { CounterFactRecord } from "../data/records.js";
import type { LanguageModel } from "../model/language-model.js";
import { scoreCases } from "./score-cases.js";
import type { CaseScores } from "./scores.js";

/** Cases of one call of native code. Part of what makes numbers equal bit for bit, so it is fixed. */
export const CHUNK_CASES = 32;

export interface EvaluateOptions {
  signal?: AbortSignal;
  onProgress?(progress: { cases: number }): void;
}

/**
 * Scores of every record, in order. Records are taken in chunks of 32 from the first on: an evaluation that goes on at a
 * multiple of 32 gives the same bits as one that was never interrupted.
 *
 * @throws as `scoreCases`
 */
export async function* evaluate(
  model: LanguageModel,
  records: Iterable<CounterFactRecord> | AsyncIterable<CounterFactRecord>,
  { signal, onProgress }: EvaluateOptions = {},
): AsyncGenerator<CaseScores> {
  let cases = 0;
  let chunk: CounterFactRecord[] = [];
  async function* flush() {
    const scores = await scoreCases(model, chunk, { signal });
    chunk = [];
    for (const score of scores) {
      onProgress?.({ cases: ++cases });
      yield score;
    }
  }
  for await (const record of records) {
    chunk.push(record);
    if (chunk.length === CHUNK_CASES) yield* flush();
  }
  if (chunk.length > 0) yield* flush();
}
