import type { LayerReport } from "../edit/report.js";
import type { BatchLine } from "../run/index.js";
import { figure } from "./table.js";

/** Columns of a table that grows while a run goes on, so that their widths are fixed beforehand. */
const columns: [heading: string, width: number][] = [
  ["batch", 6],
  ["facts", 8],
  ["largest loss", 22],
  ["queue/weight", 16],
  ["first 100 recalled", 20],
  ["seconds", 9],
];

export function batchHeading(): string {
  return inColumns(columns.map(([heading]) => heading));
}

/** A finished batch: of its layers, the one whose loss stands highest. */
export function batchRow({ batch, edits, layers, recalled, seconds }: BatchLine): string {
  const highest = layers.reduce<LayerReport | undefined>(
    (most, layer) => (most === undefined || shareOf(layer) > shareOf(most) ? layer : most),
    undefined,
  );
  const took = seconds.values + seconds.keys + seconds.updates + seconds.evaluation;
  return inColumns([
    ...[String(batch), String(edits)],
    highest === undefined ? "–" : lossInWords(highest),
    highest === undefined ? "–" : `${orNone(highest.queue)} / ${orNone(highest.weight)}`,
    recalled === undefined ? "–" : `${recalled.mean.toFixed(0)} %`,
    took.toFixed(1),
  ]);
}

/** Of its threshold, or where there is none of the first batch's. */
function shareOf({ preservationLoss, threshold, baseLoss }: LayerReport): number {
  return preservationLoss / (threshold ?? baseLoss);
}

function lossInWords(layer: LayerReport): string {
  const share = shareOf(layer);
  return layer.threshold === null ? `${figure(share)} x the first` : `${(100 * share).toFixed(0)} % of threshold`;
}

function orNone(value: number | null): string {
  return value === null ? "–" : figure(value);
}

function inColumns(cells: readonly string[]): string {
  return cells.map((cell, index) => cell.padStart(columns[index]![1])).join("");
}
