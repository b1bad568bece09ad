import { Turns } from "../base/yielding.js";
import { LyaplockError } from "../errors.js";
import { addon } from "../native/index.js";
import {
  heldBytes,
  type LayerShape,
  type PlannedState,
  peakBytesOf,
  totalBytes,
  type UpdateMemory,
} from "./plan-memory.js";

/** Edits that are to be made with LyapLock, in layers of one shape. */
export interface PlannedEdits {
  /** d */
  keyWidth: number;
  /** m */
  valueWidth: number;
  /** How many layers. Default 1. */
  layers?: number;
  /** Facts in all. */
  edits: number;
  /** Facts per batch. Default 100. */
  batchSize?: number;
  /** Whether the weight μ "stays", as while the queue sleeps at 1, or "changes" with every batch. */
  weight: "stays" | "changes";
}

/** Of all layers together. */
export interface UpdatePlan {
  /** Facts in the ledger when the primal form takes over from the dual one; null when it does not. */
  primalAfter: number | null;
  /** Operations of all updates, as their reports will count them. */
  flops: number;
  /** What is held after the last batch. */
  memory: UpdateMemory;
  /** The most there is at any moment, with what an update takes while it runs. */
  peakBytes: number;
}

/**
 * What updates will cost, by the engine's own count of operations and its choice between the two forms. Second moments, values
 * and keys are not in it.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_ABORTED
 * @example
 * const plan = await planUpdates({ keyWidth: 6400, valueWidth: 1600, layers: 5, edits: 10000, weight: "stays" });
 */
export async function planUpdates(
  { keyWidth, valueWidth, layers = 1, edits, batchSize = 100, weight }: PlannedEdits,
  signal?: AbortSignal,
): Promise<UpdatePlan> {
  checkSizes({ keyWidth, valueWidth, layers, edits, batchSize });
  const shape = { keyWidth, valueWidth };
  const turns = new Turns(signal);
  let state: PlannedState = { facts: 0, batch: 0, form: "dual", bordered: false };
  let primalAfter: number | null = null;
  let [flops, peakBytes] = [0, 0];
  while (state.facts < edits) {
    await turns.next();
    const batch = Math.min(batchSize, edits - state.facts);
    const update = nextUpdate(shape, state, batch, weight === "stays");
    if (update.form !== state.form) primalAfter = state.facts;
    flops += layers * update.flops;
    // While one layer is updated the others wait, before or after the same batch.
    const waiting = Math.max(...[state, update].map((one) => totalBytes(heldBytes(shape, one))));
    peakBytes = Math.max(peakBytes, (layers - 1) * waiting + peakBytesOf(shape, state, update));
    state = update;
  }
  const held = Object.entries(heldBytes(shape, state)).map(([part, bytes]) => [part, layers * bytes]);
  return { primalAfter, flops, memory: Object.fromEntries(held) as UpdateMemory, peakBytes };
}

/** What an editor will choose (native/edit/update_cost.h), and what that will cost. */
function nextUpdate(
  shape: LayerShape,
  { facts: past, batch: lastBatch, form: lastForm, bordered: lastBordered }: PlannedState,
  batch: number,
  weightStays: boolean,
): PlannedState & { flops: number } {
  const facts = past + batch;
  const bordered = weightStays && lastForm === "dual" && past > 0;
  const of = { ...shape, memory: "values" } as const;
  const [canBorder, isPrimalBegun] = [bordered, lastForm === "primal"];
  const notInDual = isPrimalBegun ? past : 0;
  const form = addon().cheaperForm(of, { facts: past, notInDual, canBorder, isPrimalBegun }, batch);
  const flops = addon().updateFlops(of, past, batch, form, form === "dual" && bordered);
  if (form === "dual") {
    // The first border is that of two batches: the one before was solved anew.
    const more = bordered && !lastBordered ? lastBatch ** 2 * shape.keyWidth : 0;
    return { facts, batch, form, bordered, flops: flops + more };
  }
  const more = isPrimalBegun ? 0 : flopsOfSwitch(shape, past, batch);
  return { facts, batch, form, bordered: false, flops: flops + more };
}

/** The first update in the primal form folds in all facts, whose whitened keys are at hand; every other one the batch before. */
function flopsOfSwitch({ keyWidth: d, valueWidth: m }: LayerShape, past: number, batch: number): number {
  return (past - batch) * (d * (d + 1) + 2 * m * d) - batch * d ** 2;
}

/** As of the layers of a config.json (model/families/bounds.ts); and more facts than any dataset has. */
const LARGEST = { keyWidth: 2 ** 20, valueWidth: 2 ** 20, layers: 1000, edits: 10_000_000, batchSize: 10_000_000 };

function checkSizes(sizes: Record<keyof typeof LARGEST, number>): void {
  for (const name of Object.keys(LARGEST) as (keyof typeof LARGEST)[]) {
    if (Number.isInteger(sizes[name]) && sizes[name] >= 1 && sizes[name] <= LARGEST[name]) continue;
    const what = `${name} must be a whole number from 1 to ${LARGEST[name]}; received ${sizes[name]}`;
    throw new LyaplockError("ERR_INVALID_ARGUMENT", what);
  }
}
