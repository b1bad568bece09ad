import type { LanguageModel } from "../model/language-model.js";
import { loadModel } from "../model/load.js";

/** Which model a command works on. */
export interface ModelSource {
  /** As `loadModel` takes it. */
  model: string;
  /** Deltas to put on it, and to take off it before; none where null. */
  applyDelta?: string[] | null | undefined;
  removeDelta?: string[] | null | undefined;
}

/** Loads it. */
export function openModel(
  { model, applyDelta, removeDelta }: ModelSource,
  signal?: AbortSignal,
): Promise<LanguageModel> {
  return loadModel(model, {
    applyDelta: applyDelta ?? [],
    removeDelta: removeDelta ?? [],
    signal,
  });
}
