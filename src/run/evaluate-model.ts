import { readFile } from "node:fs/promises";
import { named } from "../base/files.js";
import { openDataset } from "../data/datasets.js";
import { readGlue } from "../data/glue.js";
import type { DatasetRecord } from "../data/records.js";
import { LyaplockError } from "../errors.js";
import {
  type CaseScores,
  type EvaluationMeasures,
  evaluateGlue,
  type GlueEvaluation,
  type Metrics,
  type Perplexity,
  perplexity,
  summarize,
} from "../evaluate/index.js";
import type { LanguageModel } from "../model/language-model.js";
import { evaluateInChunks, glueProgress } from "./evaluation.js";
import type { RunEvents } from "./events.js";
import { type ModelChoice, openModel } from "./open-model.js";
import { chooseMeasures } from "./run-inputs.js";

/** A dataset, a text, GLUE, or several of them. */
export interface EvaluationOptions extends ModelChoice {
  dataset?: string;
  /** The first facts to use; all of them if left out. */
  cases?: number;
  /** Facts to leave out before those. Default 0. */
  offset?: number;
  /** Take the facts in an order drawn with this seed, in place of the file's. */
  shuffle?: number;
  /** Generate text from the facts that have prompts for it, and measure its fluency. */
  fluency?: boolean;
  /** A directory of reference texts, which generated ones are compared with; measures fluency too. */
  consistency?: string;
  /** Score ZsRE with the accidents of the published code (reference, Q6 and Q7). */
  publishedZsre?: boolean;
  /** A text file, to be foretold. */
  perplexity?: string;
  /** Of that text, from its first. Default: all. */
  tokens?: number;
  /** Tokens that are read together. Default 512. */
  window?: number;
  /** A directory with the files of the six GLUE tasks. */
  glue?: string;
  /** Take RTE's labels the wrong way round, as the published results do (Q8). */
  publishedRteLabels?: boolean;
}

export interface EvaluationResult {
  model: string;
  dataset?: string;
  cases?: number;
  metrics?: Metrics;
  text?: Perplexity & { file: string };
  glue?: GlueEvaluation & { directory: string };
}

/**
 * The metrics of a model on a dataset, its perplexity of a text, its scores on GLUE, or several of them.
 *
 * @throws ERR_INVALID_ARGUMENT when neither is asked for
 */
export async function evaluateModel(
  options: EvaluationOptions,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<EvaluationResult> {
  const { dataset, perplexity: file, glue: directory, publishedRteLabels } = options;
  if (dataset === undefined && file === undefined && directory === undefined) {
    throw new LyaplockError("ERR_INVALID_ARGUMENT", "nothing to evaluate on: name a dataset, a text, or GLUE");
  }
  const records = dataset === undefined ? [] : await readRecords(dataset, options, events, signal);
  const { fluency = false, consistency = null, publishedZsre = false } = options;
  const measures = await chooseMeasures({ fluency, consistency, publishedZsre }, signal);
  const text = file === undefined ? undefined : await named("read", file, () => readFile(file, "utf8"));
  const tests = directory === undefined ? undefined : await readGlue(directory, { signal });
  const model = await openModel(options, events, signal);
  try {
    const result: EvaluationResult = { model: model.name };
    if (dataset !== undefined) {
      Object.assign(result, { dataset, ...(await metricsOf(model, records, measures, events, signal)) });
    }
    if (file !== undefined && text !== undefined) {
      const { tokens, window } = options;
      result.text = { file, ...(await perplexity(model, text, { tokens, window, signal })) };
    }
    if (directory !== undefined && tests !== undefined) {
      const glue = await evaluateGlue(model, tests, { publishedRteLabels, signal, onProgress: glueProgress(events) });
      result.glue = { directory, ...glue };
    }
    return result;
  } finally {
    model.dispose();
  }
}

async function metricsOf(
  model: LanguageModel,
  records: DatasetRecord[],
  measures: EvaluationMeasures,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<{ cases: number; metrics: Metrics }> {
  const all: CaseScores[] = [];
  await evaluateInChunks(model, records, { start: 0, stage: "metrics", measures, events, signal }, async (chunk) => {
    all.push(...chunk);
  });
  return { cases: all.length, metrics: summarize(all) };
}

async function readRecords(
  name: string,
  { cases: limit, offset, shuffle }: EvaluationOptions,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<DatasetRecord[]> {
  const records: DatasetRecord[] = [];
  const onSkip = ({ index, reason }: { index: number; reason: string }) =>
    events.onNote?.(`Record ${index} is left out: ${reason}`);
  for await (const record of openDataset(name).records({ limit, offset, shuffle, onSkip, signal }))
    records.push(record);
  if (records.length === 0) throw new LyaplockError("ERR_DATASET_FORMAT", `${name} has no record that can be used.`);
  return records;
}
