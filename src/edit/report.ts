import type { UpdateForm } from "../native/addon.js";

/** What one batch did to one layer. Losses are per corpus token; λ is not in them. */
export interface LayerReport {
  layer: number;
  /** tr((W − W0) C (W − W0)ᵀ) after the update. */
  preservationLoss: number;
  /** The same after the first batch: D_base. */
  baseLoss: number;
  /** α · D_base; null where nothing bounds the loss, as in all methods but LyapLock. */
  threshold: number | null;
  /** q = a·Z after this batch; 1 is its floor. Null also where the threshold holds after each batch, without a queue. */
  queue: number | null;
  /** μ, the weight this batch was solved with; null, and so are what follows from a solve, in a method without one. */
  weight: number | null;
  /** ‖ΔW‖ and ‖R‖, Frobenius; null where no residual was to be met (FT). */
  updateNorm: number;
  residualNorm: number | null;
  /** Relative residual of the linear solve. */
  solveResidual: number | null;
  form: UpdateForm | null;
}

/** How the optimisation of one fact's value ended. */
export interface ValueReport {
  caseId: number;
  /** Forward passes. */
  iterations: number;
  /** Total loss in the last one. */
  loss: number;
}

/** One batch of a sequential edit. */
export interface BatchReport {
  /** From 1. */
  batch: number;
  /** Facts edited so far, this batch included. */
  edits: number;
  layers: LayerReport[];
  values: ValueReport[];
  /** Seconds spent. */
  seconds: { values: number; keys: number; updates: number };
}
