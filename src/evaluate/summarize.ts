import type { AnswerScore, CaseScores, PromptScore } from "./scores.js";

/** A mean over records, in percent. */
export interface Statistic {
  /** 0 to 100; NaN (null in JSON) where `count` is 0. */
  mean: number;
  /** Sample standard deviation / √count; 0 for a single record. */
  standardError: number;
  /** Records that were measured. */
  count: number;
}

/**
 * The paper's columns, and what else the reference sums up (section 12). Of ZsRE there are the first three, which are shares of
 * tokens; the others are there where they were measured.
 */
export interface Metrics {
  /** Success at the prompts that were edited. */
  efficacy: Statistic;
  /** Success at paraphrases. */
  generalization: Statistic;
  /** Success at prompts about other subjects, which must not change. */
  specificity: Statistic;
  /** The same three prompts of CounterFact, where every token of the right target must be the most probable one. */
  efficacyAccuracy?: Statistic;
  generalizationAccuracy?: Statistic;
  specificityAccuracy?: Statistic;
  /** Harmonic mean of efficacy, generalization and specificity of CounterFact; 0 if one of them is. */
  score?: number;
  /** Entropy in bits of the word pairs and triples of generated texts, times 100 as in the paper: no percentage. */
  fluency?: Statistic;
  /** How like the reference texts generated ones are. */
  consistency?: Statistic;
}

/** Means over records of the share of a record's prompts that succeed; records without prompts of a kind do not count. */
export function summarize(cases: readonly CaseScores[]): Metrics {
  const metrics: Metrics = {
    efficacy: over(cases, ({ rewrite }) => meanOf([rewrite].map(success))),
    generalization: over(cases, ({ paraphrases }) => meanOf(paraphrases.map(success))),
    specificity: over(cases, ({ neighborhood }) => meanOf(neighborhood.map(success))),
  };
  return { ...metrics, ...summarizeCounterFact(cases, metrics), ...summarizeGeneration(cases) };
}

/** How a batch of edits was held. */
export interface BatchMetrics extends Pick<Metrics, "efficacy" | "generalization" | "specificity"> {
  /** From 1, in the order of editing. */
  batch: number;
}

/** The same by batches of edits, oldest first: how well are the first still held after the last? */
export function summarizeByBatch(cases: readonly CaseScores[], batchSize: number): BatchMetrics[] {
  return Array.from({ length: Math.ceil(cases.length / batchSize) }, (_, i) => {
    const { efficacy, generalization, specificity } = summarize(cases.slice(i * batchSize, (i + 1) * batchSize));
    return { batch: i + 1, efficacy, generalization, specificity };
  });
}

function summarizeCounterFact(cases: readonly CaseScores[], metrics: Metrics): Partial<Metrics> {
  if (!cases.some(({ rewrite }) => "correct" in rewrite)) return {};
  const { efficacy, generalization, specificity } = metrics;
  const means = [efficacy, generalization, specificity].map(({ mean }) => mean);
  const score = means.some((mean) => mean === 0) ? 0 : 3 / means.reduce((sum, mean) => sum + 1 / mean, 0);
  return {
    efficacyAccuracy: over(cases, ({ rewrite }) => meanOf([rewrite].flatMap(correct))),
    generalizationAccuracy: over(cases, ({ paraphrases }) => meanOf(paraphrases.flatMap(correct))),
    specificityAccuracy: over(cases, ({ neighborhood }) => meanOf(neighborhood.flatMap(correct))),
    ...(means.some(Number.isNaN) ? {} : { score }),
  };
}

function summarizeGeneration(cases: readonly CaseScores[]): Partial<Metrics> {
  const generations = cases.flatMap((scores) =>
    "generation" in scores && scores.generation ? [scores.generation] : [],
  );
  if (generations.length === 0) return {};
  const consistency = over(generations, ({ consistency }) => consistency);
  return {
    fluency: over(generations, ({ fluency }) => fluency),
    ...(consistency.count === 0 ? {} : { consistency }),
  };
}

function success(score: PromptScore | AnswerScore): number {
  return "accuracy" in score ? score.accuracy : Number(score.success);
}

function correct(score: PromptScore | AnswerScore): number[] {
  return "correct" in score ? [Number(score.correct)] : [];
}

function meanOf(shares: readonly number[]): number | undefined {
  return shares.length === 0 ? undefined : shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/** Over the elements that have that figure, times 100. */
export function over<T>(elements: readonly T[], figureOf: (element: T) => number | undefined): Statistic {
  const values = elements.map(figureOf).flatMap((figure) => (figure === undefined ? [] : [100 * figure]));
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean, standardError: 0, count };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardError: Math.sqrt(squares / (count - 1) / count), count };
}
