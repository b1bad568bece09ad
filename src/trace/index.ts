export type { TraceKind } from "../native/addon.js";
export {
  type AveragedTrace,
  type AverageEffect,
  type RoleEffects,
  type TokenRole,
  TraceAverages,
  tokenRoles,
} from "./average.js";
export type { SkippedTrace } from "./known-answers.js";
export { subjectNoise } from "./noise.js";
export { type LayerSuggestion, suggestLayers } from "./suggest-layers.js";
export {
  defaultWindow,
  type TracedFact,
  type TraceOptions,
  trace,
  traceKinds,
  traceLastSubjectToken,
} from "./trace.js";
