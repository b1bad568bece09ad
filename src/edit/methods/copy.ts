import type { NativeMatrix } from "../../native/addon.js";
import { addon, call } from "../../native/index.js";

/** A matrix of its own, float64, that nobody else writes to or disposes of. */
export function copyOf(matrix: NativeMatrix): Promise<NativeMatrix> {
  return call(() => addon().addScaled(matrix, 0, matrix));
}
