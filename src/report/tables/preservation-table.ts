import type { LayerReport } from "../../edit/report.js";
import type { RunFiles } from "../../run/index.js";
import { figure } from "../table.js";
import { alphaOf, byMethod, methodLabel } from "./labels.js";
import type { Cell, ReportTable } from "./table-file.js";

/** Batches at the end that are looked at together. */
const LAST = 10;

/** How the preservation loss of every layer ended, and how it stood to its threshold in the last batches. */
export function preservationTable(runs: readonly RunFiles[]): ReportTable[] {
  const rows = [...runs].sort(byMethod).flatMap((run) => {
    const last = run.batches.at(-1);
    const layers = run.summary?.layers ?? last?.layers ?? []; // PRUNE changes them once more after the last batch
    return layers.map((layer): Cell[] => {
      const losses = run.batches.map(({ layers }) => layers.find((other) => other.layer === layer.layer)!);
      return [
        run.record.model.name,
        run.record.dataset.name,
        methodLabel(run),
        alphaOf(run),
        last!.edits,
        layer.layer,
        layer.baseLoss,
        layer.preservationLoss,
        layer.preservationLoss / layer.baseLoss,
        layer.threshold,
        inThreshold(losses.slice(-LAST)),
        inThreshold(losses, "largest"),
        layer.queue,
      ];
    });
  });
  const right = { align: "right" } as const;
  const columns = [
    ...["model", "data set", "method", "α", "edits", "layer", "first loss", "last loss", "last / first", "threshold"],
    ...[`last ${LAST}, of threshold`, "largest, of threshold", "queue"],
  ].map((heading) => ({ heading, ...(heading.endsWith("of threshold") && right) }));
  const title = "Preservation loss of each layer after the first and the last batch, and its threshold";
  return rows.length === 0 ? [] : [{ title, columns, rows }];
}

/** Of some batches of one layer, the smallest and largest loss in percent of the threshold. */
function inThreshold(layers: readonly LayerReport[], which: "range" | "largest" = "range"): string | null {
  const shares = layers.flatMap(({ preservationLoss, threshold }) =>
    threshold === null ? [] : [(100 * preservationLoss) / threshold],
  );
  if (shares.length === 0) return null;
  const [least, most] = [Math.min(...shares), Math.max(...shares)];
  return which === "largest" ? `${figure(most)} %` : `${least.toFixed(0)}–${most.toFixed(0)} %`;
}
