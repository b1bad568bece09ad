import type { DatasetRecord } from "../data/records.js";
import {
  type CaseScores,
  CHUNK_CASES,
  type EvaluationMeasures,
  evaluate,
  type GlueOptions,
  type KnowledgeOptions,
} from "../evaluate/index.js";
import type { LanguageModel } from "../model/language-model.js";
import type { RunEvents } from "./events.js";

export interface ChunkOptions {
  start: number;
  stage: string;
  measures?: EvaluationMeasures;
  events: RunEvents;
  signal?: AbortSignal | undefined;
}

/**
 * Evaluates the records from `start` on, a multiple of the chunk, and hands over whole chunks in order.
 */
export async function evaluateInChunks(
  model: LanguageModel,
  records: readonly DatasetRecord[],
  { start, stage, measures, events, signal }: ChunkOptions,
  onChunk: (scores: CaseScores[]) => Promise<void>,
): Promise<void> {
  const tell = (done: number) => events.onProgress?.({ stage, done, of: records.length, unit: "facts" });
  let done = start;
  let chunk: CaseScores[] = [];
  tell(done);
  for await (const scores of evaluate(model, records.slice(start), { ...measures, signal })) {
    chunk.push(scores);
    if (chunk.length < CHUNK_CASES && done + chunk.length < records.length) continue;
    await onChunk(chunk);
    done += chunk.length;
    chunk = [];
    tell(done);
  }
}

export function knowledgeProgress(of: number, events: RunEvents): NonNullable<KnowledgeOptions["onProgress"]> {
  return ({ facts }) => events.onProgress?.({ stage: "knowledge", done: facts, of, unit: "facts" });
}

export function glueProgress(events: RunEvents): NonNullable<GlueOptions["onProgress"]> {
  return ({ task, done, of }) => events.onProgress?.({ stage: "GLUE", detail: task, done, of, unit: "tests" });
}
