import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { setTimeout } from "node:timers/promises";
import { throwIfAborted } from "../base/abort.js";
import { named } from "../base/files.js";
import { LyaplockError } from "../errors.js";

/** A file on the hub, as its directory lists it. */
export interface HubFile {
  /** Its name: it lies in the repository's own directory. */
  name: string;
  size: number;
  /** What its content must give: sha256, or git's sha1 of small files. */
  hash: { algorithm: "sha256" | "git-sha1"; value: string };
}

export interface DownloadOptions {
  /** The content from a byte on. */
  open: (file: HubFile, begin: number) => Promise<ReadableStream>;
  /** Told of every piece. */
  onBytes: (bytes: number) => void;
  signal?: AbortSignal | undefined;
}

/** Milliseconds to wait before each new try. */
const PATIENCE = [500, 2_000, 8_000];

/**
 * Brings a file into a directory. It gets its name once it is whole and its hash is right; what an interrupted download has
 * brought stays beside it and is gone on from.
 *
 * @throws ERR_HUB for content that is not what the hub's listing says, or a hub that cannot be reached; ERR_FILE, ERR_ABORTED
 */
export async function download(directory: string, file: HubFile, options: DownloadOptions): Promise<void> {
  const place = path.join(directory, file.name);
  if ((await sizeOf(place)) === file.size) return options.onBytes(file.size); // its hash was right when it got its name
  const part = `${place}.part`;
  for (let tries = 0; ; tries++) {
    try {
      await fetchRest(part, file, options);
      break;
    } catch (error) {
      throwIfAborted(options.signal);
      if (error instanceof LyaplockError) throw error;
      if (tries >= PATIENCE.length) throw unreachable(file.name, error);
      await setTimeout(PATIENCE[tries], undefined, { signal: options.signal }).catch(() =>
        throwIfAborted(options.signal),
      );
    }
  }
  if ((await hashOf(part, file, options.signal)) !== file.hash.value) {
    await rm(part, { force: true });
    const what = `${file.name} came with another content than the hub's listing says`;
    throw new LyaplockError("ERR_HUB", `${what}. Try again; if it stays so, the hub or the way to it is at fault.`);
  }
  await named("write", place, () => rename(part, place));
}

async function fetchRest(part: string, file: HubFile, { open, onBytes, signal }: DownloadOptions): Promise<void> {
  let have = (await sizeOf(part)) ?? 0;
  if (have > file.size) {
    await rm(part);
    have = 0;
  }
  const content = have < file.size ? Readable.fromWeb(await open(file, have)) : Readable.from([]);
  onBytes(have);
  let told = have;
  const counter = new Transform({
    transform(piece: Uint8Array, _encoding, done) {
      have += piece.length;
      if (have > file.size) {
        return done(
          new LyaplockError("ERR_HUB", `${file.name} is longer than the ${file.size} bytes the hub's listing says`),
        );
      }
      onBytes(piece.length);
      told += piece.length;
      done(null, piece);
    },
  });
  try {
    await pipeline(content, counter, createWriteStream(part, { flags: "a", flush: true }), { signal });
    if (have < file.size) throw new Error(`the connection ended after ${have} of ${file.size} bytes`);
  } catch (error) {
    onBytes(-told); // the next try counts what it finds
    if (error instanceof LyaplockError) await rm(part, { force: true });
    throw fileProblem(part, error);
  }
}

/** A full disk is no matter of the network, and no reason to try again. */
function fileProblem(part: string, error: unknown): unknown {
  const { code, syscall } = Object(error) as NodeJS.ErrnoException;
  if (code === undefined || !["open", "write", "fsync"].includes(syscall ?? "")) return error;
  return new LyaplockError("ERR_FILE", `cannot write ${part}: ${(error as Error).message}`, { cause: error });
}

async function hashOf(place: string, { size, hash: { algorithm } }: HubFile, signal?: AbortSignal): Promise<string> {
  const hash = createHash(algorithm === "sha256" ? "sha256" : "sha1");
  if (algorithm === "git-sha1") hash.update(`blob ${size}\0`);
  await named("read", place, async () => {
    for await (const piece of createReadStream(place, { highWaterMark: 256 * 1024 })) {
      throwIfAborted(signal);
      hash.update(piece as Buffer);
    }
  });
  return hash.digest("hex");
}

async function sizeOf(file: string): Promise<number | undefined> {
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}

/** @param cause What fetch threw, which can be a text. */
export function unreachable(what: string, cause: unknown): LyaplockError {
  const { message, cause: inner } = cause instanceof Error ? cause : new Error(String(cause));
  const reason = inner instanceof Error ? `${message}: ${inner.message}` : message;
  return new LyaplockError("ERR_HUB", `the hub does not give ${what} (${reason})`, { cause });
}
