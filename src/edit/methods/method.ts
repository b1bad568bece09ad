import type { LedgerBatch, NativeKeySpace, NativeMatrix, UpdateChain } from "../../native/addon.js";
import type { Hyperparameters } from "../hyperparameters.js";
import type { LayerReport } from "../report.js";
import type { QueueState } from "../virtual-queue.js";

/** What one layer must remember between two sessions, beside its ledger; plain data. */
export interface LayerState {
  layer: number;
  queue: QueueState;
  /** Facts in its ledger. */
  facts: number;
  /** How its last updates came about; null before the first. */
  chain: UpdateChain | null;
}

/** A method at work on one layer. */
export interface LayerMethod {
  /**
   * Takes in a batch.
   *
   * @param keys [u, d] @param residuals [u, m]: this layer's share of what is missing.
   * @returns what happened; `drift` has changed accordingly.
   */
  update(keys: NativeMatrix, residuals: NativeMatrix): Promise<LayerReport>;
  state(): Promise<LayerState>;
  /** The rows of the ledger that the last update added. */
  lastBatch(): Promise<LedgerBatch>;
  /** Puts back, on a fresh one, what `state` gave; then `replay` every batch of its ledger, in order. After the last, the
   * method stands as it did, to the same bits. */
  restore(state: LayerState): Promise<void>;
  replay(batch: LedgerBatch): Promise<void>;
  /** D [m, d] as it is. */
  drift(): Promise<NativeMatrix>;
  dispose(): void;
}

/** A way of editing. Each is a file in this directory. */
export interface EditingMethod {
  readonly name: string;
  /** What was chosen, for the record of a run. */
  readonly options: Readonly<Record<string, number | string>>;
  /** @param valueWidth m */
  forLayer(
    layer: number,
    keySpace: NativeKeySpace,
    valueWidth: number,
    hyperparameters: Hyperparameters,
  ): Promise<LayerMethod>;
}
