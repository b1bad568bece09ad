import type { HubOptions } from "../model/hub.js";
import type { LanguageModel } from "../model/language-model.js";
import { loadModel } from "../model/load.js";
import type { WeightType } from "../native/addon.js";
import type { RunEvents } from "./events.js";

/** Which model a command works on. */
export interface ModelChoice {
  /** As `loadModel` takes it. */
  model: string;
  /** Deltas to put on it, and to take off it before; none where null. */
  applyDelta?: string[] | null | undefined;
  removeDelta?: string[] | null | undefined;
  /** How weights are held. Default "f32". */
  weights?: WeightType | undefined;
}

/** What a download from a hub tells. */
export function downloadEvents({ onProgress, onNote }: RunEvents): Pick<HubOptions, "onProgress" | "onNote"> {
  const megabytes = (bytes: number) => Math.round(bytes / 1e5) / 10;
  return {
    onProgress: ({ part, file, done, of }) =>
      onProgress?.({
        stage: `download of ${part}`,
        detail: file,
        done: megabytes(done),
        of: megabytes(of),
        unit: "MB",
      }),
    onNote,
  };
}

/** Loads it; what that takes is told. */
export function openModel(
  { model, applyDelta, removeDelta, weights }: ModelChoice,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<LanguageModel> {
  return loadModel(model, {
    applyDelta: applyDelta ?? [],
    removeDelta: removeDelta ?? [],
    weights,
    signal,
    ...downloadEvents(events),
  });
}
