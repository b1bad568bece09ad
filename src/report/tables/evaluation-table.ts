import type { EvaluationLine, RunFiles } from "../../run/index.js";
import { byMethod, labelAmong } from "./labels.js";
import type { Cell, ReportTable } from "./table-file.js";

/** What a line of one kind comes down to: a figure, and its name. */
const measures = {
  glue: { name: "GLUE, mean F1", figureOf: (line: EvaluationLine) => (line.kind === "glue" ? line.f1 : null) },
  perplexity: {
    name: "perplexity",
    figureOf: (line: EvaluationLine) => (line.kind === "perplexity" ? line.perplexity : null),
  },
  knowledge: {
    name: "knowledge of other facts, %",
    figureOf: (line: EvaluationLine) => (line.kind === "knowledge" ? line.accuracy.mean : null),
  },
};

/** What was measured before the first edit and last, of what edits are not about. */
export function evaluationTable(runs: readonly RunFiles[]): ReportTable[] {
  const label = labelAmong(runs);
  const rows = [...runs].sort(byMethod).flatMap((run) =>
    Object.values(measures).flatMap(({ name, figureOf }): Cell[][] => {
      const lines = run.evaluations.filter((line) => figureOf(line) !== null);
      const last = lines.at(-1);
      if (last === undefined) return [];
      const before = lines.find(({ edits }) => edits === 0);
      const [first, now] = [before === undefined ? null : figureOf(before), figureOf(last)!];
      const share = first === null || first === 0 ? null : `${((100 * now) / first).toFixed(1)} %`;
      return [[run.record.model.name, run.record.dataset.name, label(run), name, first, now, share, last.edits]];
    }),
  );
  if (rows.length === 0) return [];
  const headings = ["model", "data set", "method", "measure", "before", "after", "of before", "edits"];
  const columns = headings.map((heading) => ({ heading, ...(heading === "of before" && { align: "right" as const }) }));
  return [{ title: "What the edits are not about, before the first edit and after the last", columns, rows }];
}
