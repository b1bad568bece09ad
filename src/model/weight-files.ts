import { readdir } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { contentHash } from "../base/content-hash.js";
import { fileError } from "../base/file-error.js";
import { describeIssues, readJsonFile } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";

export const WEIGHTS = "model.safetensors";
export const WEIGHTS_INDEX = "model.safetensors.index.json";

const weightIndex = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/**
 * The files that hold a model's weights: model.safetensors, or the shards that model.safetensors.index.json names, sorted.
 *
 * @throws ERR_FILE when there are none or a shard is missing; ERR_MODEL_FORMAT for an index that is broken or names
 *   anything but files beside it.
 */
export async function findWeightFiles(directory: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    throw fileError("read the directory", directory, error);
  }
  if (names.includes(WEIGHTS)) return [path.join(directory, WEIGHTS)];
  if (names.includes(WEIGHTS_INDEX)) return findShards(directory, names);

  const other = names.find((name) => /\.(bin|pt|pth|gguf|h5|msgpack)$/.test(name));
  const advice = other ? `. ${other} is not read; write the model as safetensors with save_pretrained` : "";
  throw new LyaplockError("ERR_FILE", `${directory} has neither ${WEIGHTS} nor ${WEIGHTS_INDEX}${advice}`);
}

/** sha256, hex, of a model's config.json and weight files. */
export function modelHash(directory: string, weightFiles: readonly string[]): Promise<string> {
  return contentHash([path.join(directory, "config.json"), ...weightFiles]);
}

async function findShards(directory: string, present: string[]): Promise<string[]> {
  const shards = await shardsOf(directory);
  for (const shard of shards) {
    if (!present.includes(shard)) {
      throw new LyaplockError("ERR_FILE", `${path.join(directory, shard)} is missing; ${WEIGHTS_INDEX} names it`);
    }
  }
  return shards.map((shard) => path.join(directory, shard));
}

/** The shards that a directory's index names, sorted, whether they are there or not. @throws ERR_FILE, ERR_MODEL_FORMAT */
export async function shardsOf(directory: string): Promise<string[]> {
  const indexPath = path.join(directory, WEIGHTS_INDEX);
  const index = weightIndex.safeParse(await readJsonFile(indexPath, "ERR_MODEL_FORMAT"));
  if (!index.success) throw new LyaplockError("ERR_MODEL_FORMAT", `${indexPath}: ${describeIssues(index.error)}`);

  const shards = [...new Set(Object.values(index.data.weight_map))].sort();
  if (shards.length === 0) throw new LyaplockError("ERR_MODEL_FORMAT", `${indexPath}: "weight_map" names no file`);
  for (const shard of shards) {
    // An index comes from a stranger: "../../.ssh/key" and "/etc/passwd" are not shards.
    if (!/^[\w.-]+\.safetensors$/.test(shard)) {
      const what = `${indexPath}: "weight_map" names "${shard}"; a shard is a .safetensors file beside the index`;
      throw new LyaplockError("ERR_MODEL_FORMAT", what);
    }
  }
  return shards;
}
