import { glueTasks, type Metrics } from "../evaluate/index.js";
import type { EvaluationLine } from "../run/index.js";

/** What was measured during a run, in a line. */
export function describeEvaluationLine(line: EvaluationLine): string {
  const when = line.edits === 0 ? "before the first edit" : `after ${line.edits} edits`;
  return `${when}: ${describeMeasured(line)}`;
}

function describeMeasured(line: EvaluationLine): string {
  switch (line.kind) {
    case "glue": {
      const names = Object.keys(line.tasks) as (keyof typeof line.tasks)[];
      const tasks = names.map((name) => `${glueTasks[name].title} ${line.tasks[name].f1.toFixed(3)}`);
      return `GLUE F1 ${line.f1.toFixed(3)} (${tasks.join(", ")})`;
    }
    case "perplexity":
      return `perplexity ${line.perplexity.toFixed(3)}`;
    case "knowledge":
      return `knowledge of facts that are not edited ${line.accuracy.mean.toFixed(1)} %`;
    case "metrics":
      return `${describeMeans(line.metrics)}; of the first batch ${describeMeans(line.firstBatch)}`;
  }
}

function describeMeans(metrics: Metrics): string {
  return Object.entries(metrics)
    .filter(([, { count }]) => count > 0)
    .map(([name, { mean }]) => `${name} ${mean.toFixed(1)} %`)
    .join(", ");
}
