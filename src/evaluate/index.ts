export { CHUNK_CASES, type EvaluateOptions, type EvaluationMeasures, evaluate } from "./evaluate.js";
export { fluencyOf } from "./fluency.js";
export {
  evaluateGlue,
  type GlueEvaluation,
  type GlueOptions,
  type GlueScores,
  type GlueTaskScores,
  type GlueTestResult,
  glueTasks,
} from "./glue/index.js";
export { type Knowledge, type KnowledgeOptions, type KnowledgeQuestion, knowledge } from "./knowledge.js";
export { type Perplexity, type PerplexityOptions, perplexity } from "./perplexity.js";
export { type ScoresOf, type ScoringOptions, scoreCases } from "./score-cases.js";
export type { ZsreCompatibility } from "./score-zsre.js";
export type {
  AnswerScore,
  CaseScores,
  CounterFactScores,
  GenerationScores,
  PromptScore,
  ZsreScores,
} from "./scores.js";
export { type BatchMetrics, type Metrics, type Statistic, summarize, summarizeByBatch } from "./summarize.js";
