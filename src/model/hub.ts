import { mkdir, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import path from "node:path";
import type { ReadableStream } from "node:stream/web";
import type { HubApiError, ListFileEntry } from "@huggingface/hub";
import { z } from "zod";
import { throwIfAborted } from "../base/abort.js";
import { cacheDirectory } from "../base/cache-directory.js";
import { exists, named, writeJson } from "../base/files.js";
import { readJsonFile } from "../base/json-file.js";
import { Lock } from "../base/lock.js";
import { LyaplockError } from "../errors.js";
import { download, type HubFile, unreachable } from "./hub-download.js";
import { type HubName, isCommit } from "./hub-name.js";
import { COMPANIONS } from "./save.js";
import { findWeightFiles, shardsOf, WEIGHTS, WEIGHTS_INDEX } from "./weight-files.js";

/** How far a download is. */
export interface DownloadProgress {
  part: "config and tokenizer" | "weights";
  /** The file that comes now. */
  file: string;
  /** Bytes. */
  done: number;
  of: number;
}

export interface HubOptions {
  onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Something a person should know, in a sentence. */
  onNote?: ((text: string) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** A model in the cache. */
export interface HubModel {
  directory: string;
  /** 40 hexadecimal digits: the same files forever. */
  commit: string;
}

/**
 * Brings what is needed of a model from a hub into the cache, unless it is there: config, tokenizer and safetensors of one
 * commit. The hub is that of $HF_ENDPOINT, or huggingface.co; $HF_TOKEN opens what is not public. A commit that is in the cache
 * needs no network, nor does any revision with $HF_HUB_OFFLINE set, or where the hub cannot be reached.
 *
 * @throws ERR_HUB, ERR_FILE, ERR_MODEL_FORMAT, ERR_ABORTED
 */
export async function fetchModel(name: HubName, options: HubOptions = {}): Promise<HubModel> {
  const repository = new Repository(name.repository, options);
  const commit = await repository.commitOf(name.revision);
  return { directory: await repository.fetch(commit), commit };
}

/** The same for its config.json alone. */
export async function fetchConfig(name: HubName, options: HubOptions = {}): Promise<HubModel> {
  const repository = new Repository(name.repository, options);
  const commit = await repository.commitOf(name.revision);
  return { directory: await repository.fetchConfig(commit), commit };
}

const revisionsSchema = z.record(z.string(), z.string().regex(/^[0-9a-f]{40}$/));

class Repository {
  private readonly place: string;

  constructor(
    private readonly name: string,
    private readonly options: HubOptions,
  ) {
    this.place = path.join(cacheDirectory(), "hub", name.replace("/", "--"));
  }

  /** What a branch or tag stands for now, or stood for when the hub was last reached. */
  async commitOf(revision: string): Promise<string> {
    if (isCommit(revision)) return revision;
    const known = (await this.revisions())[revision];
    if (process.env.HF_HUB_OFFLINE && process.env.HF_HUB_OFFLINE !== "0") {
      if (known !== undefined) return known;
      throw new LyaplockError("ERR_HUB", `${this.name}@${revision} is not in the cache, and HF_HUB_OFFLINE is set`);
    }
    try {
      const commit = await this.ask(revision);
      await named("create", this.place, () => mkdir(this.place, { recursive: true }));
      await writeJson(this.revisionsFile, { ...(await this.revisions()), [revision]: commit });
      return commit;
    } catch (error) {
      throwIfAborted(this.options.signal);
      if (error instanceof LyaplockError) throw error;
      if (isApiError(error)) throw refused(`${this.name}@${revision}`, error);
      if (known === undefined) throw unreachable(`${this.name}@${revision}`, error);
      this.options.onNote?.(
        `The hub cannot be reached: taking ${this.name} as of its commit ${known}, from the cache.`,
      );
      return known;
    }
  }

  /** A directory with all that `loadModel` reads. */
  async fetch(commit: string): Promise<string> {
    const directory = path.join(this.place, commit);
    if (await exists(directory)) return directory;
    return this.locked(commit, async (partial) => {
      if (await exists(directory)) return directory;
      const listed = await this.list(commit);
      await this.download(commit, partial, listed.filter(isSmall), "config and tokenizer");
      const weights = await weightFiles(partial, listed);
      await this.checkSpace(weights, partial);
      await this.download(commit, partial, weights, "weights");
      await findWeightFiles(partial);
      await named("write", directory, () => rename(partial, directory));
      return directory;
    });
  }

  /** A directory with config.json at least. */
  async fetchConfig(commit: string): Promise<string> {
    const directory = path.join(this.place, commit);
    if (await exists(directory)) return directory;
    return this.locked(commit, async (partial) => {
      if (await exists(directory)) return directory;
      const listed = await this.list(commit);
      await this.download(
        commit,
        partial,
        listed.filter(({ name }) => name === "config.json"),
        "config and tokenizer",
      );
      return partial;
    });
  }

  /** Works in the directory of what is not complete, alone. */
  private async locked<T>(commit: string, work: (partial: string) => Promise<T>): Promise<T> {
    const partial = path.join(this.place, `${commit}.partial`);
    await named("create", partial, () => mkdir(partial, { recursive: true }));
    const { onNote, signal } = this.options;
    const onWait = (who: string) => onNote?.(`Another process downloads the same model (${who})`);
    const lock = await Lock.acquireWhenFree(path.join(this.place, `${commit}.lock`), { onWait, signal });
    try {
      await named("create", partial, () => mkdir(partial, { recursive: true })); // the other one has renamed it
      return await work(partial);
    } finally {
      await lock.release();
      if ((await readdir(partial).catch(() => [""])).length === 0) await rm(partial, { recursive: true, force: true });
    }
  }

  private async download(
    commit: string,
    directory: string,
    files: readonly HubFile[],
    part: DownloadProgress["part"],
  ): Promise<void> {
    const { onProgress, signal } = this.options;
    const of = files.reduce((sum, { size }) => sum + size, 0);
    let done = 0;
    for (const file of files) {
      const onBytes = (bytes: number) => {
        done += bytes;
        onProgress?.({ part, file: file.name, done, of });
      };
      await download(directory, file, { open: (wanted, begin) => this.open(commit, wanted, begin), onBytes, signal });
    }
  }

  /** Files in the repository's own directory; all others are of no use to us. */
  private async list(commit: string): Promise<HubFile[]> {
    const files: HubFile[] = [];
    try {
      const { listFiles } = await import("@huggingface/hub");
      const repo = { type: "model", name: this.name } as const;
      for await (const entry of listFiles({ repo, revision: commit, ...this.access() })) {
        const file = hubFile(entry);
        if (file !== undefined) files.push(file);
      }
    } catch (error) {
      throw this.failure(`${this.name}@${commit}`, error);
    }
    const needed = ["config.json", "tokenizer.json", "tokenizer_config.json"];
    const missing = needed.find((name) => !files.some((file) => file.name === name));
    if (missing === undefined) return files;
    const advice = "A model needs config.json, tokenizer.json and tokenizer_config.json, and weights as safetensors.";
    throw new LyaplockError("ERR_HUB", `${this.name}@${commit} has no ${missing} on the hub. ${advice}`);
  }

  private async ask(revision: string): Promise<string> {
    const { modelInfo } = await import("@huggingface/hub");
    const { sha } = await modelInfo({ name: this.name, revision, additionalFields: ["sha"], ...this.access() });
    if (typeof sha === "string" && isCommit(sha)) return sha;
    throw new LyaplockError("ERR_HUB", `the hub does not say which commit ${this.name}@${revision} is`);
  }

  private async open(commit: string, { name, size }: HubFile, begin: number): Promise<ReadableStream> {
    const { downloadFile } = await import("@huggingface/hub");
    const repo = { type: "model", name: this.name } as const;
    let blob: Blob | null;
    try {
      // Without the hub's own protocol for large files: ranges over HTTP are what mirrors speak too, and where a download
      // that was cut can go on.
      blob = await downloadFile({ repo, path: name, revision: commit, xet: false, ...this.access() });
    } catch (error) {
      if (isApiError(error) && error.statusCode < 500) throw refused(`${name} of ${this.name}`, error);
      throw error;
    }
    if (blob !== null && blob.size === size) return blob.slice(begin).stream() as ReadableStream;
    const found = blob === null ? "it has none" : `it has one of ${blob.size} bytes`;
    throw new LyaplockError("ERR_HUB", `the hub lists a ${name} of ${size} bytes in ${this.name}, and ${found}`);
  }

  private access() {
    const { HF_ENDPOINT, HF_TOKEN } = process.env;
    const { signal } = this.options;
    return {
      ...(HF_ENDPOINT ? { hubUrl: HF_ENDPOINT.replace(/\/+$/, "") } : {}),
      ...(HF_TOKEN ? { accessToken: HF_TOKEN } : {}),
      fetch: ((url, init) => fetch(url, { ...init, signal: signal ?? null })) as typeof fetch,
    };
  }

  private failure(what: string, error: unknown): LyaplockError {
    throwIfAborted(this.options.signal);
    if (error instanceof LyaplockError) return error;
    return isApiError(error) ? refused(what, error) : unreachable(what, error);
  }

  private async checkSpace(weights: readonly HubFile[], directory: string): Promise<void> {
    let missing = 0;
    for (const { name, size } of weights) {
      const found = await Promise.all([name, `${name}.part`].map((entry) => bytesOf(path.join(directory, entry))));
      missing += size - Math.max(...found);
    }
    const { bavail, bsize } = await named("read", directory, () => statfs(directory));
    const [needs, has] = [missing, bavail * bsize].map((bytes) => `${(bytes / 1e9).toFixed(1)} GB`);
    if (missing <= bavail * bsize) return;
    throw new LyaplockError(
      "ERR_FILE",
      `${this.name} takes ${needs}, and ${directory} has ${has} free. Free some space, or set LYAPLOCK_CACHE to another place.`,
    );
  }

  private get revisionsFile(): string {
    return path.join(this.place, "revisions.json");
  }

  private async revisions(): Promise<Record<string, string>> {
    if (!(await exists(this.revisionsFile))) return {};
    // What cannot be read is forgotten: the hub knows it better.
    const { data } = revisionsSchema.safeParse(await readJsonFile(this.revisionsFile, "ERR_HUB").catch(() => ({})));
    return data ?? {};
  }
}

function hubFile({ type, path: name, size, oid, lfs }: ListFileEntry): HubFile | undefined {
  if (type !== "file" || !/^[\w.-]+$/.test(name) || !Number.isSafeInteger(size) || size < 0) return undefined;
  if (lfs !== undefined) return { name, size: lfs.size, hash: { algorithm: "sha256", value: lfs.oid } };
  return { name, size, hash: { algorithm: "git-sha1", value: oid ?? "" } };
}

/** What a model's directory holds beside weights, and the index of those. */
function isSmall({ name }: HubFile): boolean {
  return name === "config.json" || name === WEIGHTS_INDEX || COMPANIONS.test(name);
}

/** The single file, or the shards that the index names, which is in the directory by now. */
async function weightFiles(directory: string, listed: readonly HubFile[]): Promise<HubFile[]> {
  const single = listed.find(({ name }) => name === WEIGHTS);
  if (single !== undefined) return [single];
  if (!listed.some(({ name }) => name === WEIGHTS_INDEX)) {
    const other = listed.find(({ name }) => /\.(bin|pt|pth|gguf|h5|msgpack)$/.test(name));
    const found = other === undefined ? "" : `; ${other.name} is not read`;
    throw new LyaplockError("ERR_HUB", `the model has neither ${WEIGHTS} nor ${WEIGHTS_INDEX} on the hub${found}`);
  }
  return (await shardsOf(directory)).map((shard) => {
    const file = listed.find(({ name }) => name === shard);
    if (file !== undefined) return file;
    throw new LyaplockError("ERR_HUB", `${WEIGHTS_INDEX} names ${shard}, which the hub does not have`);
  });
}

async function bytesOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0;
}

/** Told by its fields: the class itself would load the library for every command. */
function isApiError(error: unknown): error is HubApiError {
  return error instanceof Error && "statusCode" in error;
}

function refused(what: string, error: HubApiError): LyaplockError {
  const reason =
    error.statusCode === 401 || error.statusCode === 403 || error.statusCode === 404
      ? "there is no such model or revision, or it is not for everyone: check the name, and set HF_TOKEN to a token that may read it"
      : error.message;
  return new LyaplockError("ERR_HUB", `the hub does not give ${what} (${error.statusCode}): ${reason}`, {
    cause: error,
  });
}
