import type { CaseScores, PromptScore } from "./scores.js";

/** A mean over records, in percent. */
export interface Statistic {
  /** 0 to 100; NaN (null in JSON) where `count` is 0. */
  mean: number;
  /** Sample standard deviation / √count; 0 for a single record. */
  standardError: number;
  /** Records that were measured. */
  count: number;
}

/** The paper's columns. */
export interface Metrics {
  /** Success at the prompts that were edited. */
  efficacy: Statistic;
  /** Success at paraphrases. */
  generalization: Statistic;
  /** Success at prompts about other subjects, which must not change. */
  specificity: Statistic;
}

/** Means over records of the share of a record's prompts that succeed; records without prompts of a kind do not count. */
export function summarize(cases: readonly CaseScores[]): Metrics {
  const over = (promptsOf: (scores: CaseScores) => PromptScore[]) =>
    statistic(
      cases
        .map(promptsOf)
        .filter((prompts) => prompts.length > 0)
        .map((prompts) => (100 * prompts.filter(({ success }) => success).length) / prompts.length),
    );
  return {
    efficacy: over(({ rewrite }) => [rewrite]),
    generalization: over(({ paraphrases }) => paraphrases),
    specificity: over(({ neighborhood }) => neighborhood),
  };
}

/** Of values in percent. */
export function statistic(values: number[]): Statistic {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean, standardError: 0, count };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardError: Math.sqrt(squares / (count - 1) / count), count };
}
