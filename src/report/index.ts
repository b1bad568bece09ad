export { describeChecks } from "./checks.js";
export { describeEvaluation } from "./evaluation.js";
export { describeLayers, type Standing, standing } from "./layers.js";
export { describeMatrix } from "./matrix.js";
export { describeMetrics } from "./metrics.js";
export { describeListedMoments } from "./moments.js";
export { describeExamples, describeSeconds, describeSkipped, describeWeightChanges } from "./outcome.js";
export { describePlan } from "./plan.js";
export { figure, quoted, table } from "./table.js";
