import type { ExperimentResult } from "../run/index.js";
import { percent } from "./metrics.js";
import { figure, quoted, table } from "./table.js";
import { methodTitle } from "./tables/labels.js";

/**
 * Runs of the same facts with different methods, side by side. Their preservation losses are measured by the threshold of the
 * first that has one.
 */
export function describeComparison(results: readonly ExperimentResult[]): string {
  const [first] = results;
  const titles = results.map(({ record }) => methodTitle(record.method.name));
  const right = titles.map((heading) => ({ heading, align: "right" as const }));
  const columns = [{ heading: "" }, { heading: "before", align: "right" as const }, ...right];
  const rows = [...metricRows(results), ...knowledgeRow(results), ...preservationRows(results), secondsRow(results)];
  return [
    `${first!.summary.edits} facts, ${first!.record.asked.batch} at a time`,
    table(columns, rows),
    exampleTable(results, titles),
  ].join("\n\n");
}

/** The paper's columns that need no generated text. */
const metricNames = ["efficacy", "generalization", "specificity"] as const;

function metricRows(results: readonly ExperimentResult[]): string[][] {
  const before = results.find(({ summary }) => summary.before !== null)?.summary.before ?? null;
  return metricNames.map((name) => [
    `${name}, %`,
    before === null ? "" : percent(before[name]),
    ...results.map(({ summary }) => percent(summary.after[name])),
  ]);
}

function knowledgeRow(results: readonly ExperimentResult[]): string[][] {
  const after = results.map(({ summary }) => summary.knowledge?.accuracy);
  if (after.includes(undefined)) return [];
  const before = results[0]!.evaluations.flatMap((line) =>
    line.kind === "knowledge" && line.edits === 0 ? [line.accuracy] : [],
  );
  return [["knowledge of other facts, %", ...[before[0], ...after].map(percent)]];
}

function preservationRows(results: readonly ExperimentResult[]): string[][] {
  const bounded = results.find(({ summary }) => summary.layers.some(({ threshold }) => threshold !== null));
  return (bounded?.summary.layers ?? []).map(({ layer, threshold }) => {
    const losses = results.map(
      ({ summary }) => summary.layers.find((other) => other.layer === layer)!.preservationLoss,
    );
    const shares = losses.map((loss) => `${((100 * loss) / threshold!).toFixed(0)} %`);
    return [`preservation loss of layer ${layer}, of ${figure(threshold!)}`, "0 %", ...shares];
  });
}

function secondsRow(results: readonly ExperimentResult[]): string[] {
  return ["seconds", "", ...results.map(({ summary }) => summary.seconds.total.toFixed(0))];
}

function exampleTable(results: readonly ExperimentResult[], titles: readonly string[]): string {
  const headings = ["prompt", "was", "shall be", ...titles].map((heading) => ({ heading }));
  const rows = results[0]!.examples.map(({ caseId, prompt, was, target }) => [
    quoted(prompt),
    quoted(was, 24),
    quoted(target.trim(), 24),
    ...results.map(({ examples }) => quoted(examples.find((other) => other.caseId === caseId)?.now ?? "", 24)),
  ]);
  return table(headings, rows);
}
