import { LyaplockError } from "../../errors.js";
import type { Hyperparameters } from "../hyperparameters.js";

/** The layer of a method that edits one. @throws ERR_INVALID_ARGUMENT for hyperparameters with more */
export function onlyLayer({ layers }: Hyperparameters, method: string): number {
  if (layers.length === 1) return layers[0]!;
  throw new LyaplockError(
    "ERR_INVALID_ARGUMENT",
    `${method} edits one layer; received ${layers.join(", ")}. Name one, or give hyperparameters that are ${method}'s.`,
  );
}
