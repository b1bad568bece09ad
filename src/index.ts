/**
 * Sequential editing of thousands of facts in a language model, with a bound on what it forgets.
 *
 * @module
 */

export { type GlueItem, type GlueTaskName, type GlueTests, readGlue } from "./data/glue.js";
export { type Dataset, datasets, openDataset, readFacts } from "./data/index.js";
export type { CounterFactRecord, DatasetRecord, Fact, KnownFact, ZsreRecord } from "./data/records.js";
export { type ReferenceTexts, readReferenceTexts } from "./data/reference-texts.js";
export {
  type CachedMomentsOptions,
  type CollectionEstimate,
  cachedSecondMoments,
  readSecondMoments,
  writeSecondMoments,
} from "./data/second-moments-files.js";
export { checkFacts, type FactCheck } from "./edit/checks.js";
export { type ContextTemplates, generateContextTemplates, parseContextTemplates } from "./edit/context-templates.js";
export type { EditOptions, EditProgress } from "./edit/edit-options.js";
export { type Hyperparameters, parseHyperparameters } from "./edit/hyperparameters.js";
export {
  type AlphaEditOptions,
  type BatchOptions,
  type EditingMethod,
  type FineTuningOptions,
  type LayerByLayerMethod,
  type LayerContext,
  type LayerMethod,
  type LyapLockOptions,
  layerByLayer,
  type Matrices,
  type MemitOptions,
  type MethodAtWork,
  type MethodContext,
  type MethodOptions,
  methods,
  type PlainData,
  type PruneOptions,
  type RectOptions,
} from "./edit/methods/index.js";
export { type PlannedEdits, planUpdates, type UpdatePlan } from "./edit/plan.js";
export { defaultHyperparameters } from "./edit/published-hyperparameters.js";
export type { BatchReport, LayerReport, ValueReport } from "./edit/report.js";
export {
  type CollectedFrom,
  type CollectionState,
  type CollectionStore,
  type CollectOptions,
  collectSecondMoments,
  SecondMoments,
} from "./edit/second-moments.js";
export {
  type EditorOptions,
  type EditorState,
  SequentialEditor,
} from "./edit/sequential-editor.js";
export { type ErrorCode, LyaplockError } from "./errors.js";
export {
  type AnswerScore,
  type BatchMetrics,
  type CaseScores,
  type CounterFactScores,
  type EvaluateOptions,
  type EvaluationMeasures,
  evaluate,
  evaluateGlue,
  fluencyOf,
  type GenerationScores,
  type GlueEvaluation,
  type GlueOptions,
  type GlueScores,
  type GlueTaskScores,
  type GlueTestResult,
  type Metrics,
  type Perplexity,
  type PerplexityOptions,
  type PromptScore,
  perplexity,
  type Statistic,
  summarize,
  summarizeByBatch,
  type ZsreCompatibility,
  type ZsreScores,
} from "./evaluate/index.js";
export type { GeneratedText, GenerationOptions } from "./model/generation.js";
export { type GetModelOptions, type GotModel, getModel } from "./model/get-model.js";
export { LanguageModel, type SaveType } from "./model/language-model.js";
export { type LoadOptions, loadModel } from "./model/load.js";
export type { NativeKeySpace, NativeMatrix } from "./native/addon.js";
export {
  type Alarm,
  type BatchLine,
  type EvaluationLine,
  type ExperimentOptions,
  type ExperimentResult,
  type MatrixOptions,
  type MatrixResult,
  type PlanOptions,
  planRun,
  type RunPlan,
  runExperiment,
  runMatrix,
  type SessionOptions,
} from "./run/index.js";
export {
  type AveragedTrace,
  type AverageEffect,
  type LayerSuggestion,
  type RoleEffects,
  type SkippedTrace,
  subjectNoise,
  suggestLayers,
  type TokenRole,
  TraceAverages,
  type TracedFact,
  type TraceKind,
  type TraceOptions,
  trace,
} from "./trace/index.js";
