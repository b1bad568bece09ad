import type { LanguageModel } from "../../model/language-model.js";
import type { NativeKeySpace, NativeMatrix } from "../../native/addon.js";
import type { Hyperparameters } from "../hyperparameters.js";
import type { LayerReport } from "../report.js";
import type { Matrices, PlainData } from "./method.js";

/** A method at work on one layer, given keys and residuals: what most methods differ in. */
export interface LayerMethod {
  /**
   * Takes in a batch; `drift` changes accordingly, and the layers above see it.
   *
   * @param keys [u, d] @param residuals [u, m]: this layer's share of what is missing.
   */
  update(keys: NativeMatrix, residuals: NativeMatrix): Promise<void>;
  /** Once all layers have taken the batch in. @returns what happened. */
  endBatch(): Promise<LayerReport>;
  /** Whether `drift` changes once more in `endBatch`. Default false. */
  readonly changesAtEnd?: boolean;
  /** Once, after the last batch; `drift` has changed again. */
  finish?(): Promise<LayerReport>;
  /** D [m, d] float64 as it is. */
  drift(): Promise<NativeMatrix>;

  // See MethodAtWork.
  state(): Promise<PlainData>;
  ledgerRows(): Promise<Matrices>;
  matrices(): Promise<Matrices>;
  restore(state: PlainData, matrices: Matrices): Promise<void>;
  replay(rows: Matrices): Promise<void>;
  dispose(): void;
}

/** What a method finds at a layer. */
export interface LayerContext {
  layer: number;
  model: LanguageModel;
  hyperparameters: Hyperparameters;
  /** m */
  valueWidth: number;
  /** The space in which the layer's preserved keys are white; the caller's to dispose of, as soon as it is in use. */
  keySpace(): Promise<NativeKeySpace>;
  /** The directions in which the second moment has eigenvalues under a threshold; likewise. */
  nullSpace(threshold: number): Promise<NativeKeySpace>;
}
