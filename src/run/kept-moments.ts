import { type ListedMoment, listSecondMoments, pruneSecondMoments, verifySecondMoments } from "../data/index.js";
import { momentsDirectory } from "../data/second-moments-place.js";
import type { RunEvents } from "./events.js";

/** Second moments in the cache. */
export interface KeptMoments {
  directory: string;
  entries: ListedMoment[];
}

export async function listMoments(signal?: AbortSignal): Promise<KeptMoments> {
  return { directory: momentsDirectory(), entries: await listSecondMoments({ signal }) };
}

/** Compares with checksums; what is damaged is set aside and named. */
export async function verifyMoments(
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<KeptMoments & { damaged: ListedMoment[] }> {
  const onProgress = (done: number, of: number) =>
    events.onProgress?.({ stage: "checksums", done, of, unit: "entries" });
  return { directory: momentsDirectory(), ...(await verifySecondMoments({ onProgress, signal })) };
}

/** Removes what is not whole. */
export async function pruneMoments(
  signal?: AbortSignal,
): Promise<{ directory: string; removed: ListedMoment[]; bytes: number }> {
  const removed = await pruneSecondMoments({ signal });
  return { directory: momentsDirectory(), removed, bytes: removed.reduce((total, { bytes }) => total + bytes, 0) };
}
