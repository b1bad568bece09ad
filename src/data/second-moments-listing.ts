import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { fileError } from "../base/file-error.js";
import { Lock } from "../base/lock.js";
import { Turns } from "../base/yielding.js";
import { type EntryDescription, MomentEntry, readDescription } from "./second-moments-entry.js";
import { MomentsPlace, momentsDirectory, sourceOf } from "./second-moments-place.js";
import { readUnfinished } from "./second-moments-unfinished.js";

/**
 * "unfinished" is a collection that was interrupted and goes on when it is asked for again; "damaged" what was, or is to be,
 * set aside; "leftover" what a killed process or an earlier version of lyaplock left, and nobody will use.
 */
export type MomentState = "whole" | "damaged" | "unfinished" | "leftover";

/** Something in the cache of second moments. */
export interface ListedMoment {
  state: MomentState;
  path: string;
  /** Of all its files. */
  bytes: number;
  model?: string;
  layer?: number;
  tokens?: number;
  precision?: string;
  maxLength?: number;
  /** ISO 8601. */
  created?: string;
  /** Why it is taken for damaged. */
  reason?: string;
}

interface Item extends ListedMoment {
  source: string;
  /** What is removed with it. */
  files: string[];
}

/** What is in the cache. Sizes are compared, contents are not: see `verifySecondMoments`. @throws ERR_FILE */
export async function listSecondMoments({ signal }: { signal?: AbortSignal } = {}): Promise<ListedMoment[]> {
  return (await items(signal)).map(listed);
}

/**
 * Compares every entry with its checksums, and sets aside those that are damaged: the next edit makes them again.
 *
 * @returns what is in the cache now, and the entries that were found damaged.
 */
export async function verifySecondMoments({
  onProgress,
  signal,
}: {
  onProgress?(done: number, of: number): void;
  signal?: AbortSignal;
} = {}): Promise<{ entries: ListedMoment[]; damaged: ListedMoment[] }> {
  const candidates = (await items(signal)).filter(({ layer }) => layer !== undefined);
  const damaged: ListedMoment[] = [];
  for (const [i, item] of candidates.entries()) {
    onProgress?.(i, candidates.length);
    const place = new MomentsPlace(item.source);
    const entry = new MomentEntry(place.entry(item.layer!));
    await whileNobodyWrites(place, async () => {
      try {
        await entry.verify();
      } catch (error) {
        const reason = (error as Error).message;
        await entry.setAside(reason, ({ movedTo }) =>
          damaged.push({ ...listed(item), state: "damaged", path: movedTo, reason }),
        );
      }
    });
  }
  onProgress?.(candidates.length, candidates.length);
  return { entries: (await items(signal)).map(listed), damaged };
}

/**
 * Removes all that is not whole; entries that can be used stay. What a process is working on stays too.
 *
 * @returns what was removed
 */
export async function pruneSecondMoments({ signal }: { signal?: AbortSignal } = {}): Promise<ListedMoment[]> {
  const removed: ListedMoment[] = [];
  for (const { source } of await bySource(signal)) {
    const place = new MomentsPlace(source);
    await whileNobodyWrites(place, async () => {
      for (const item of (await items(signal)).filter((one) => one.source === source && one.state !== "whole")) {
        for (const file of item.files) await rm(file, { recursive: true, force: true });
        removed.push(listed(item));
      }
    });
  }
  return removed;
}

/** Nothing is done while another process holds the lock. Taking it clears away the lock of one that has died. */
async function whileNobodyWrites(place: MomentsPlace, work: () => Promise<void>): Promise<void> {
  const lock = await Lock.acquireIfFree(place.lock);
  try {
    if (lock !== undefined) await work();
  } finally {
    await lock?.release();
  }
}

const listed = ({ source: _, files: _files, ...item }: Item): ListedMoment => item;

async function items(signal?: AbortSignal): Promise<Item[]> {
  const turns = new Turns(signal);
  const found: Item[] = [];
  for (const { source, names } of await bySource(signal)) {
    const rest = new Set(names.filter((name) => !/^[0-9a-f]{64}\.lock/.test(name)));
    for (const name of names) {
      await turns.next();
      const layer = /-layer-(\d+)\.json$/.exec(name)?.[1];
      if (layer !== undefined) found.push(await entryItem(source, Number(layer), rest));
      else if (name.endsWith(".unfinished")) found.push(await unfinishedItem(source, name, rest));
    }
    for (const name of rest) {
      const file = inCache(name);
      const state = name.endsWith(".damaged") ? "damaged" : "leftover";
      found.push({ state, path: file, bytes: await sizeOf(file), source, files: [file] });
    }
  }
  return found;
}

/** Takes the names of its files out of `rest`. */
async function entryItem(source: string, layer: number, rest: Set<string>): Promise<Item> {
  const { description, moment, factor } = new MomentsPlace(source).entry(layer);
  const files = [description, moment, factor].filter((file) => rest.delete(path.basename(file)));
  const sizes = new Map<string, number>();
  for (const file of files) sizes.set(file, await sizeOf(file));
  const bytes = [...sizes.values()].reduce((total, size) => total + size, 0);
  const item = { path: moment, bytes, source, layer, files };
  try {
    const found = await readDescription(description);
    const wrong = wrongSize(found, { moment: sizes.get(moment), factor: sizes.get(factor) });
    const { model, tokens, precision, maxLength, created } = found;
    const what = { ...item, model, tokens, precision, maxLength, created };
    return wrong === undefined ? { state: "whole", ...what } : { state: "damaged", ...what, reason: wrong };
  } catch (error) {
    return { state: "damaged", ...item, reason: (error as Error).message };
  }
}

function wrongSize(
  { moment, factor }: EntryDescription,
  sizes: { moment: number | undefined; factor: number | undefined },
): string | undefined {
  if (sizes.moment !== moment.bytes) return `the moment has ${sizes.moment ?? 0} bytes, not ${moment.bytes}`;
  if (factor === null || sizes.factor === factor.bytes) return undefined;
  return `the factor has ${sizes.factor ?? 0} bytes, not ${factor.bytes}`;
}

async function unfinishedItem(source: string, name: string, rest: Set<string>): Promise<Item> {
  rest.delete(name);
  const file = inCache(name);
  const item = { state: "unfinished" as const, path: file, bytes: await sizeOf(file), source, files: [file] };
  try {
    return { ...item, tokens: (await readUnfinished(file)).tokens };
  } catch {
    return item; // it was stopped before it had kept anything
  }
}

async function bySource(signal?: AbortSignal): Promise<{ source: string; names: string[] }[]> {
  const groups = new Map<string, string[]>();
  const turns = new Turns(signal);
  for (const name of (await namesIn(momentsDirectory())).sort()) {
    await turns.next();
    const source = sourceOf(name);
    if (source === undefined) continue; // nothing of ours
    groups.set(source, [...(groups.get(source) ?? []), name]);
  }
  return [...groups].map(([source, names]) => ({ source, names }));
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw fileError("read the directory", directory, error);
  }
}

/** Of a file, or of the files in a directory; 0 where there is nothing any more. */
async function sizeOf(file: string): Promise<number> {
  try {
    const found = await stat(file);
    if (!found.isDirectory()) return found.size;
    let bytes = 0;
    for (const name of await readdir(file)) bytes += await sizeOf(path.join(file, name));
    return bytes;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw fileError("read", file, error);
  }
}

const inCache = (name: string) => path.join(momentsDirectory(), name);
