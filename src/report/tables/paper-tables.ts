import type { RunFiles } from "../../run/index.js";
import { alphaTables } from "./alpha-table.js";
import { combinationTables } from "./combinations-table.js";
import { evaluationTable } from "./evaluation-table.js";
import type { FinishedRun } from "./labels.js";
import { mainTables } from "./main-tables.js";
import { preservationTable } from "./preservation-table.js";
import { secondsTable } from "./seconds-table.js";
import type { ReportTable } from "./table-file.js";

/** The tables that the runs can fill: the paper's, and at the end what became of the knowledge that was to be preserved. */
export function paperTables(runs: readonly RunFiles[]): ReportTable[] {
  const finished = runs.filter((run): run is FinishedRun => run.summary !== null);
  return [
    ...mainTables(finished),
    ...alphaTables(finished),
    ...combinationTables(finished),
    ...preservationTable(runs),
    ...evaluationTable(runs),
    ...secondsTable(finished),
  ];
}
