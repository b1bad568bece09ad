export { CHUNK_CASES, type EvaluateOptions, evaluate } from "./evaluate.js";
export {
  evaluateGlue,
  type GlueEvaluation,
  type GlueOptions,
  type GlueScores,
  type GlueTaskScores,
  type GlueTestResult,
  glueTasks,
} from "./glue/index.js";
export { type Perplexity, type PerplexityOptions, perplexity } from "./perplexity.js";
export { scoreCases } from "./score-cases.js";
export type { CaseScores, PromptScore } from "./scores.js";
export { type Metrics, type Statistic, summarize } from "./summarize.js";
