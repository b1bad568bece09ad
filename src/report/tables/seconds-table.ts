import { byMethod, type FinishedRun, methodLabel } from "./labels.js";
import type { ReportTable } from "./table-file.js";

/** Where the time of every run went. */
export function secondsTable(runs: readonly FinishedRun[]): ReportTable[] {
  if (runs.length === 0) return [];
  const phases = ["moments", "values", "keys", "updates", "evaluation", "saving", "total"] as const;
  const rows = [...runs].sort(byMethod).map(({ summary, ...run }) => {
    const { values, keys, updates } = summary.seconds;
    const figures = phases.map((phase) => summary.seconds[phase]);
    return [run.name, methodLabel({ summary, ...run }), ...figures, (values + keys + updates) / summary.edits];
  });
  const headings = ["run", "method", ...phases, "editing, per fact"];
  return [{ title: "Seconds", columns: headings.map((heading) => ({ heading })), rows }];
}
