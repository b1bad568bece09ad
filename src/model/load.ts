import { stat } from "node:fs/promises";
import path from "node:path";
import { throwIfAborted } from "../base/abort.js";
import { LyaplockError } from "../errors.js";
import { addon, call } from "../native/index.js";
import { builtinDirectory } from "./builtin.js";
import { readModelConfig } from "./config.js";
import { changeByDelta, type ModelDelta } from "./delta.js";
import { LanguageModel } from "./language-model.js";
import { Tokenizer } from "./tokenizer.js";
import { findWeightFiles, modelHash } from "./weight-files.js";

const BUILTIN = "builtin:";

export interface LoadOptions {
  /** Files that `saveDelta` wrote, put on in this order, after `removeDelta`. */
  applyDelta?: readonly string[] | undefined;
  /** Files that `saveDelta` wrote, taken off in this order. */
  removeDelta?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Loads a model for editing, in float32.
 *
 * @param source "builtin:atlas", or a directory as transformers' save_pretrained writes it (config.json, safetensors,
 *   tokenizer.json, tokenizer_config.json).
 * @throws ERR_FILE, ERR_MODEL_FORMAT, ERR_TOKENIZER, ERR_UNKNOWN_ARCHITECTURE, ERR_UNSUPPORTED, ERR_ABORTED;
 *   ERR_DELTA for a delta that was made for another model, or is applied already, or is not there to be removed
 */
export async function loadModel(source: string, options: LoadOptions = {}): Promise<LanguageModel> {
  const { applyDelta = [], removeDelta = [], signal } = options;
  const { name, directory, config } = await findModel(source);
  const weightFiles = await findWeightFiles(directory);
  const tokenizer = await Tokenizer.load(directory);
  const native = await call((cancellation) => addon().loadModel(config, weightFiles, cancellation), signal);
  const deltas: ModelDelta[] = [
    ...removeDelta.map((file) => ({ direction: "remove" as const, path: path.resolve(file) })),
    ...applyDelta.map((file) => ({ direction: "apply" as const, path: path.resolve(file) })),
  ];
  try {
    let hash: string | undefined;
    for (const delta of deltas) {
      throwIfAborted(signal);
      const base = hash ?? (await modelHash(directory, weightFiles));
      hash = await changeByDelta({ native, layers: config.layers, base }, delta);
    }
    return new LanguageModel({ name, directory, config, tokenizer, native, weightFiles, deltas, hash });
  } catch (error) {
    native.dispose();
    throw error;
  }
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
