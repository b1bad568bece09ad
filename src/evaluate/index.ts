export { CHUNK_CASES, type EvaluateOptions, evaluate } from "./evaluate.js";
export { type Knowledge, type KnowledgeOptions, type KnowledgeQuestion, knowledge } from "./knowledge.js";
export { type Perplexity, type PerplexityOptions, perplexity } from "./perplexity.js";
export { scoreCases } from "./score-cases.js";
export type { CaseScores, PromptScore } from "./scores.js";
export { type Metrics, type Statistic, summarize } from "./summarize.js";
