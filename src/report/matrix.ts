import type { MatrixResult } from "../run/index.js";
import { table } from "./table.js";

/** What became of the runs of a matrix, and which of them failed. */
export function describeMatrix({ directory, runs }: MatrixResult): string {
  const failed = runs.flatMap((run) => (run.state === "failed" ? [run] : []));
  const rows = runs.map((run) => [run.name, run.state === "failed" ? `failed: ${run.error.code}` : run.state]);
  const verdict =
    failed.length === 0
      ? `All ${runs.length} runs are finished.`
      : `${failed.length} of ${runs.length} runs failed:\n${failed.map(({ name, error }) => `  ${name}: ${error.message}`).join("\n")}\n` +
        "The same command with --resume tries them again.";
  const states = table([{ heading: "run" }, { heading: "state" }], rows);
  return `${states}\n\n${verdict}\nTables: lyaplock report ${directory}`;
}
