import type { DatasetRecord } from "../data/records.js";
import type { ReferenceTexts } from "../data/reference-texts.js";
import type { LanguageModel } from "../model/language-model.js";
import { Consistency } from "./consistency.js";
import { type ScoresOf, scoreCases } from "./score-cases.js";
import type { ZsreCompatibility } from "./score-zsre.js";

/** Cases of one call of native code. Part of what makes numbers equal bit for bit, so it is fixed. */
export const CHUNK_CASES = 32;

/** What is measured beyond what every record is asked. */
export interface EvaluationMeasures {
  /** Continue the generation prompts of records that have them, and measure how fluent the texts are. Takes long. */
  fluency?: boolean | undefined;
  /** Texts that those are compared with; measures fluency too. */
  references?: ReferenceTexts | undefined;
  compatibility?: ZsreCompatibility | undefined;
}

export interface EvaluateOptions extends EvaluationMeasures {
  signal?: AbortSignal | undefined;
  onProgress?(progress: { cases: number }): void;
}

/**
 * Scores of every record, in order, each by its kind. Records are taken in chunks of 32 from the first on: an evaluation that
 * goes on at a multiple of 32 gives the same bits as one that was never interrupted.
 *
 * @throws as `scoreCases`
 */
export async function* evaluate<R extends DatasetRecord>(
  model: LanguageModel,
  records: Iterable<R> | AsyncIterable<R>,
  { fluency = false, references, compatibility, signal, onProgress }: EvaluateOptions = {},
): AsyncGenerator<ScoresOf<R>> {
  const consistency = references === undefined ? undefined : new Consistency(references);
  const options = { generate: fluency || consistency !== undefined, consistency, compatibility, signal };
  let cases = 0;
  let chunk: R[] = [];
  async function* flush() {
    const scores = await scoreCases(model, chunk, options);
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
