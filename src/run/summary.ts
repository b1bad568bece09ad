import type { LayerReport } from "../edit/report.js";
import {
  type BatchMetrics,
  type CaseScores,
  type GlueScores,
  type Knowledge,
  type Metrics,
  type Perplexity,
  summarize,
  summarizeByBatch,
} from "../evaluate/index.js";
import type { EvaluationLine } from "./evaluation-line.js";
import type { Seconds } from "./seconds.js";

/** Content of summary.json. */
export interface Summary {
  method: string;
  edits: number;
  /** Of the unedited model, on the same facts; null unless asked for. */
  before: Metrics | null;
  after: Metrics;
  /** That by batches of edits, oldest first. */
  byBatch: BatchMetrics[];
  /** Of the edited model; null unless asked for. */
  glue: GlueScores | null;
  perplexity: Perplexity | null;
  knowledge: Knowledge | null;
  seconds: Seconds;
  /** After the last batch. */
  layers: LayerReport[];
}

/** Scores of one fact as cases.jsonl has them. */
export type RecordedScores = WithoutId<CaseScores>;

type WithoutId<S> = S extends unknown ? Omit<S, "caseId"> : never;

/** A line of cases.jsonl. */
export interface CaseLine {
  caseId: number;
  before: RecordedScores | null;
  after: RecordedScores;
}

export function caseLine(before: CaseScores | undefined, after: CaseScores): CaseLine {
  return { caseId: after.caseId, before: before === undefined ? null : withoutId(before), after: withoutId(after) };
}

function withoutId({ caseId: _, ...scores }: CaseScores): RecordedScores {
  return scores;
}

export function metricsBefore(lines: readonly CaseLine[]): Metrics | null {
  const cases = lines.flatMap(({ caseId, before }) => (before === null ? [] : [withId(caseId, before)]));
  return cases.length === 0 ? null : summarize(cases);
}

export function metricsAfter(lines: readonly CaseLine[]): Metrics {
  return summarize(casesAfter(lines));
}

export function metricsByBatch(lines: readonly CaseLine[], batchSize: number): BatchMetrics[] {
  return summarizeByBatch(casesAfter(lines), batchSize);
}

function casesAfter(lines: readonly CaseLine[]): CaseScores[] {
  return lines.map(({ caseId, after }) => withId(caseId, after));
}

function withId(caseId: number, scores: RecordedScores): CaseScores {
  return { caseId, ...scores } as CaseScores;
}

/** What was measured, without when. */
export function glueOf(line: (EvaluationLine & { kind: "glue" }) | undefined): GlueScores | null {
  return line === undefined ? null : { f1: line.f1, f1New: line.f1New, tasks: line.tasks };
}

export function perplexityOf(line: (EvaluationLine & { kind: "perplexity" }) | undefined): Perplexity | null {
  return line === undefined ? null : { perplexity: line.perplexity, predicted: line.predicted, window: line.window };
}

export function knowledgeOf(line: (EvaluationLine & { kind: "knowledge" }) | undefined): Knowledge | null {
  return line === undefined ? null : { accuracy: line.accuracy, relations: line.relations };
}
