import type { LanguageModel } from "../model/language-model.js";
import type { FloatType } from "../native/addon.js";
import { call } from "../native/index.js";

/** What editing did to one matrix, against the model as it was loaded. */
export interface WeightChange {
  layer: number;
  /** ‖W − W0‖ and ‖W0‖, Frobenius. */
  norm: number;
  originalNorm: number;
  changed: number;
  elements: number;
  /** The type it was saved in, and the norm of what rounding to it changed; absent before it is saved. */
  saved?: { type: FloatType; rounding: number };
}

/** Asks every layer of the model, not only those that were to be edited: what is told is what is there. */
export async function weightChanges(model: LanguageModel): Promise<WeightChange[]> {
  const changes: WeightChange[] = [];
  for (let layer = 0; layer < model.config.layers; layer++) {
    const change = await call(() => model.native.weightChange(layer));
    if (change.changed > 0) changes.push({ layer, ...change });
  }
  return changes;
}
