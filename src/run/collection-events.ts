import { duration } from "../base/duration.js";
import { memorySize } from "../base/memory-size.js";
import type { CachedMomentsOptions, CollectionEstimate } from "../data/index.js";
import type { RunEvents } from "./events.js";

type CollectionEvents = Required<
  Pick<CachedMomentsOptions, "onBegin" | "onResumed" | "onProgress" | "onDamaged" | "onWait">
>;

/** What a collection of second moments tells, in words: what it will take, and then how far it is. */
export function collectionEvents(events: RunEvents): CollectionEvents {
  let estimate: CollectionEstimate | undefined;
  let first = 0;
  let begun: number | undefined;
  return {
    onBegin(found) {
      estimate = found;
      begun = performance.now();
      const { layers, texts, tokens, bytes } = found;
      const what = `Second moments of ${count(layers.length, "layer")} over ${count(tokens, "token")} of ${count(texts, "text")}`;
      events.onNote?.(`${what}; their sums take ${memorySize(bytes)} of memory.`);
    },
    onResumed({ tokens }) {
      first = tokens;
      begun = performance.now();
      events.onNote?.(`Going on after ${count(tokens, "token")}, where an earlier collection was interrupted.`);
    },
    onProgress({ tokens }) {
      const of = estimate?.tokens;
      if (begun !== undefined && of !== undefined) {
        const seconds = (((performance.now() - begun) / 1000) * (of - first)) / (tokens - first);
        events.onNote?.(`All of it takes about ${duration(seconds)}, judged by the first ${tokens - first} tokens.`);
        begun = undefined;
      }
      const layers = estimate?.layers ?? [];
      const detail = `layer${layers.length === 1 ? "" : "s"} ${layers.join(", ")}`;
      events.onProgress?.({ stage: "second moments", detail, done: tokens, of, unit: "tokens" });
    },
    onDamaged({ path, movedTo, reason }) {
      events.onNote?.(`${path} is damaged (${reason}); it is now ${movedTo}, and is made again.`);
    },
    onWait(who) {
      events.onNote?.(`Another process collects the same second moments (${who})`);
    },
  };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
