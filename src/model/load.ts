import { stat } from "node:fs/promises";
import path from "node:path";
import { LyaplockError } from "../errors.js";
import { addon, call } from "../native/index.js";
import { builtinDirectory } from "./builtin.js";
import { readModelConfig } from "./config.js";
import { LanguageModel } from "./language-model.js";
import { Tokenizer } from "./tokenizer.js";
import { findWeightFiles } from "./weight-files.js";

const BUILTIN = "builtin:";

/**
 * Loads a model for editing, in float32.
 *
 * @param source "builtin:atlas", or a directory as transformers' save_pretrained writes it (config.json, safetensors,
 *   tokenizer.json, tokenizer_config.json).
 * @throws ERR_FILE, ERR_MODEL_FORMAT, ERR_TOKENIZER, ERR_UNKNOWN_ARCHITECTURE, ERR_UNSUPPORTED, ERR_ABORTED
 */
export async function loadModel(source: string, { signal }: { signal?: AbortSignal } = {}): Promise<LanguageModel> {
  const { name, directory, config } = await findModel(source);
  const weightFiles = await findWeightFiles(directory);
  const tokenizer = await Tokenizer.load(directory);
  const native = await call((cancellation) => addon().loadModel(config, weightFiles, cancellation), signal);
  return new LanguageModel({ name, directory, config, tokenizer, native, weightFiles });
}

/** A model before its weights are read; `source` and errors as for `loadModel`. */
export async function findModel(source: string): Promise<Pick<LanguageModel, "name" | "directory" | "config">> {
  const builtin = source.startsWith(BUILTIN);
  const directory = builtin ? builtinDirectory(source.slice(BUILTIN.length)) : path.resolve(source);
  await checkDirectory(source, directory);
  const config = await readModelConfig(path.join(directory, "config.json"));
  return { name: builtin ? source : path.basename(directory), directory, config };
}

async function checkDirectory(source: string, directory: string): Promise<void> {
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory()) return;
  const accepted = `A model is "builtin:atlas" or a directory with config.json and safetensors`;
  if (found || source.endsWith(".gguf")) {
    throw new LyaplockError(
      "ERR_UNSUPPORTED",
      `${source} is not a directory, and single files are not read. ${accepted}.`,
    );
  }
  const hub = /^[\w.-]+\/[\w.-]+$/.test(source) ? " (models are not fetched from a hub: download it first)" : "";
  throw new LyaplockError("ERR_FILE", `there is no directory ${source}${hub}. ${accepted}.`);
}
