import { openDataset } from "../data/datasets.js";
import type { CounterFactRecord } from "../data/records.js";
import { LyaplockError } from "../errors.js";
import { type CaseScores, type Metrics, summarize } from "../evaluate/index.js";
import { evaluateInChunks } from "./evaluation.js";
import type { RunEvents } from "./events.js";
import { type ModelSource, openModel } from "./open-model.js";

export interface EvaluationOptions extends ModelSource {
  dataset: string;
  /** The first facts to use; all of them if left out. */
  cases?: number;
}

/** The metrics of a model on a dataset, by name of both. */
export async function evaluateDataset(
  { dataset: name, cases, ...source }: EvaluationOptions,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<{ model: string; dataset: string; cases: number; metrics: Metrics }> {
  const records = await readRecords(name, cases, events, signal);
  const model = await openModel(source, events, signal);
  try {
    const all: CaseScores[] = [];
    await evaluateInChunks(model, records, { start: 0, stage: "metrics", events, signal }, async (chunk) => {
      all.push(...chunk);
    });
    return { model: model.name, dataset: name, cases: all.length, metrics: summarize(all) };
  } finally {
    model.dispose();
  }
}

async function readRecords(
  name: string,
  limit: number | undefined,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<CounterFactRecord[]> {
  const records: CounterFactRecord[] = [];
  const onSkip = ({ index, reason }: { index: number; reason: string }) =>
    events.onNote?.(`Record ${index} is left out: ${reason}`);
  for await (const record of openDataset(name).records({ limit, onSkip, signal })) records.push(record);
  if (records.length === 0) throw new LyaplockError("ERR_DATASET_FORMAT", `${name} has no record that can be used.`);
  return records;
}
