import type { UpdateForm } from "../native/addon.js";

/** Bytes that layers hold between two updates, each with its key space. */
export interface UpdateMemory {
  /** L of the second moments C = L Lᵀ. */
  keySpaces: number;
  /** Keys, targets and values of all facts. */
  ledgers: number;
  /** Whitened and lifted keys, in the dual form. */
  keys: number;
  /** G, in the dual form. */
  gram: number;
  /** Of G + μI, in the dual form. */
  factor: number;
  /** Q, in the dual form. */
  coefficients: number;
  /** Rows of L⁻¹ that the next batch goes on from, in the dual form while μ stays. */
  border: number;
  /** Of k̃ k̃ᵀ and y k̃ᵀ over all facts, in the primal form. */
  sums: number;
  /** D, and what the last batch changed of it. */
  drifts: number;
}

/** d and m of a layer. */
export interface LayerShape {
  keyWidth: number;
  valueWidth: number;
}

/** Where the editor of a layer stands after an update, in sizes. */
export interface PlannedState {
  /** n, those of the last batch included. */
  facts: number;
  /** u of the last batch. */
  batch: number;
  form: UpdateForm;
  /** Whether the last batch bordered the factor of the one before. */
  bordered: boolean;
}

const FLOAT64 = 8;
/** Rows in which matrices grow and are factored (native/edit/blocked_rows.h). */
const BLOCK_ROWS = 1024;

/** What a layer holds, as NativeKeySpace and NativeLayerEditor count it. */
export function heldBytes(
  { keyWidth: d, valueWidth: m }: LayerShape,
  { facts: n, batch: u, form, bordered }: PlannedState,
): UpdateMemory {
  const dual = form === "dual" ? FLOAT64 : 0;
  return {
    keySpaces: FLOAT64 * d ** 2,
    ledgers: FLOAT64 * n * (d + 2 * m),
    keys: dual * 2 * n * d,
    gram: dual * triangle(n),
    factor: dual * triangle(n),
    coefficients: dual * n * m,
    border: bordered ? dual * u * (n + d) : 0,
    sums: form === "primal" ? FLOAT64 * d * (d + m) : 0,
    // What a bordering batch changes is kept as a product of its rows and those of the batch before, beside the memory
    // that the next change of the weight will need.
    drifts: FLOAT64 * (2 * m * d + (bordered ? 2 * u * (m + d) : 0)),
  };
}

/** The most that an update from one state to the next takes, with what is held. */
export function peakBytesOf(shape: LayerShape, before: PlannedState, after: PlannedState): number {
  const solving = totalBytes(heldBytes(shape, after)) + scratchBytes(shape, after);
  if (before.form === after.form) return solving;
  // One form takes over from the other: of that, whitened keys are left.
  const { keySpaces, ledgers, keys, drifts } = heldBytes(shape, before);
  return Math.max(solving, keySpaces + ledgers + keys / 2 + drifts + heldBytes(shape, after).sums);
}

/** Beside what is held: a batch's own rows, and its rows of G or of L. */
function scratchBytes({ keyWidth: d, valueWidth: m }: LayerShape, { facts: n, batch: u, form }: PlannedState): number {
  const rows = u * (3 * d + 5 * m);
  if (form === "primal") return FLOAT64 * (rows + d * (d + m)); // S + μI, and D in whitened coordinates
  return FLOAT64 * (rows + u * n);
}

export function totalBytes(memory: UpdateMemory): number {
  return Object.values(memory).reduce((sum, bytes) => sum + bytes, 0);
}

/** Elements of a lower triangle [n, n] in blocks of rows, each as wide as its diagonal reaches. */
function triangle(n: number): number {
  const whole = Math.floor(n / BLOCK_ROWS);
  return (BLOCK_ROWS ** 2 * whole * (whole + 1)) / 2 + n * (n % BLOCK_ROWS);
}
