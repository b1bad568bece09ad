import { randomBytes } from "node:crypto";
import { copyFile, mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileError } from "../base/file-error.js";
import { readJsonFile } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";
import { WEIGHTS_INDEX } from "./weight-files.js";

/** What a model's directory holds besides config and weights, and what a copy of the model needs. */
export const COMPANIONS =
  /^(tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.json|merges\.txt|tokenizer\.model|chat_template\.(json|jinja)|generation_config\.json|(licen[cs]e|notice|use_policy)(\..*)?)$/i;

export interface SaveOptions {
  /** The directory the model was loaded from. */
  source: string;
  /** The directory to make; it may exist if it is empty. */
  directory: string;
  /** Writes the weight files, under their own names, into a directory. Says whether the config must ask for float32: a loader
   * that followed a "bfloat16" would round away what was written as more. */
  writeWeights: (into: string) => Promise<{ asFloat32: boolean }>;
}

/** Makes a model directory beside its place and renames it. @throws ERR_FILE; nothing is left behind then. */
export async function saveModelDirectory({ source, directory, writeWeights }: SaveOptions): Promise<void> {
  const place = path.resolve(directory);
  await refuseExisting(place);
  const beside = `${place}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await mkdir(beside, { recursive: true });
    await copyCompanions(source, beside);
    const { asFloat32 } = await writeWeights(beside);
    await writeConfig(source, beside, asFloat32);
    await writeIndex(source, beside);
    await flush(beside);
    await rename(beside, place);
  } catch (error) {
    await rm(beside, { recursive: true, force: true }).catch(() => {}); // the first error is the one to tell
    throw fileError("save the model to", place, error);
  }
}

async function refuseExisting(place: string): Promise<void> {
  const names = await readdir(place).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw fileError("save the model to", place, error);
  });
  if (names.length > 0) {
    const what = `${place} exists and is not empty; name a new directory, or remove it first`;
    throw new LyaplockError("ERR_FILE", what);
  }
}

async function copyCompanions(source: string, target: string): Promise<void> {
  for (const entry of await readdir(source)) {
    if (!COMPANIONS.test(entry)) continue;
    const from = path.join(source, entry);
    if ((await stat(from)).isFile()) await copyFile(from, path.join(target, entry));
  }
}

/** The config as it was, but for the type where that must change. */
async function writeConfig(source: string, target: string, asFloat32: boolean): Promise<void> {
  const [from, to] = [source, target].map((directory) => path.join(directory, "config.json")) as [string, string];
  if (!asFloat32) return copyFile(from, to);
  const config = (await readJsonFile(from, "ERR_MODEL_FORMAT")) as Record<string, unknown>;
  const written = { ...config, dtype: "float32" };
  if ("torch_dtype" in written) written.torch_dtype = "float32"; // the name before transformers 5
  await writeFile(to, `${JSON.stringify(written, null, 2)}\n`);
}

/** For a model in shards: the same index, with the size that the shards have now. */
async function writeIndex(source: string, target: string): Promise<void> {
  const names = await readdir(target);
  if (!(await readdir(source)).includes(WEIGHTS_INDEX) || names.includes("model.safetensors")) return;
  const index = (await readJsonFile(path.join(source, WEIGHTS_INDEX), "ERR_MODEL_FORMAT")) as Record<string, unknown>;
  let total = 0;
  for (const name of names.filter((entry) => entry.endsWith(".safetensors")))
    total += await tensorBytes(path.join(target, name));
  const metadata = { ...(index.metadata as object | undefined), total_size: total };
  await writeFile(path.join(target, WEIGHTS_INDEX), `${JSON.stringify({ ...index, metadata }, null, 2)}\n`);
}

/** Content goes to the disk before the name does: after a power cut, a directory of that name holds a whole model. */
async function flush(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const handle = await open(path.join(directory, name), "r+");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

/** A safetensors file is a length (u64, little-endian), a header of that length, and the tensors. */
async function tensorBytes(file: string): Promise<number> {
  const handle = await open(file, "r");
  try {
    const { buffer } = await handle.read(Buffer.alloc(8), 0, 8, 0);
    return (await handle.stat()).size - 8 - Number(buffer.readBigUInt64LE());
  } finally {
    await handle.close();
  }
}
