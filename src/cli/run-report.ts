import { relative } from "node:path";
import {
  describeByBatch,
  describeEvaluationLine,
  describeExamples,
  describeLayers,
  describeMetrics,
  describeSeconds,
  describeSkipped,
  describeWeightChanges,
} from "../report/index.js";
import { type ExperimentResult, methodInWords } from "../run/index.js";

/** A finished run, for a person to read. */
export function describeRun({
  directory,
  alreadyFinished,
  summary,
  evaluations,
  weightChanges,
  examples,
  record,
}: ExperimentResult): string {
  const place = shortPath(directory);
  const { skipped, hyperparameters, method } = record;
  return [
    ...(alreadyFinished ? [`The run in ${place} was finished before; nothing was done. Its results:`] : []),
    `${summary.edits} facts edited with ${methodInWords(method)}, ${record.asked.batch} at a time.`,
    describeExamples(examples),
    describeMetrics(summary.before, summary.after),
    ...(evaluations.length > 0 ? [evaluations.map(describeEvaluationLine).join("\n")] : []),
    ...(summary.byBatch.length > 1 ? [describeByBatch(summary.byBatch)] : []),
    describeLayers(summary.layers, hyperparameters.covarianceWeight),
    describeWeightChanges(weightChanges),
    ...(skipped.length > 0 ? [describeSkipped(skipped)] : []),
    `Time: ${describeSeconds(summary.seconds)}.`,
    `Results: ${place}/ (summary.json, batches.jsonl, cases.jsonl; the edited model in ${place}/model)`,
  ].join("\n\n");
}

/** Relative where that is shorter to read. */
function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere === "" || fromHere.startsWith("..") ? path : fromHere;
}
