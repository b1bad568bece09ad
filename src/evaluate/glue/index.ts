export {
  evaluateGlue,
  type GlueEvaluation,
  type GlueOptions,
  type GlueScores,
  type GlueTaskScores,
  type GlueTestResult,
} from "./evaluate-glue.js";
export { glueTasks } from "./tasks.js";
