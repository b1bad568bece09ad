import { stat } from "node:fs/promises";
import path from "node:path";
import { throwIfAborted } from "../base/abort.js";
import { contentHash } from "../base/content-hash.js";
import { LyaplockError } from "../errors.js";
import { addon, call } from "../native/index.js";
import { builtinDirectory } from "./builtin.js";
import { changeByDelta, type ModelDelta } from "./delta.js";
import { DirectorySource } from "./directory-source.js";
import { GgufSource } from "./gguf/source.js";
import { LanguageModel } from "./language-model.js";
import { findNamedModel, NAMED_MODELS } from "./named-models.js";
import type { ModelSource } from "./source.js";

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
 * @param source "builtin:atlas"; the name of a model that `getModel` has put into the cache, "smollm2-135m"; a GGUF file; or a
 *   directory as transformers' save_pretrained writes it (config.json, safetensors, tokenizer.json, tokenizer_config.json).
 * @throws ERR_FILE, ERR_MODEL_FORMAT, ERR_TOKENIZER, ERR_UNKNOWN_ARCHITECTURE, ERR_UNSUPPORTED, ERR_ABORTED;
 *   ERR_DELTA for a delta that was made for another model, or is applied already, or is not there to be removed
 */
export async function loadModel(source: string, options: LoadOptions = {}): Promise<LanguageModel> {
  const { applyDelta = [], removeDelta = [], signal } = options;
  const found = await findModel(source);
  const { name, directory, config } = found;
  const weightFiles = await found.weightFiles();
  const tokenizer = await found.tokenizer();
  const [files, companions] = [await found.files(), await found.companions()];
  const native = await call((cancellation) => addon().loadModel(config, weightFiles, cancellation), signal);
  const deltas: ModelDelta[] = [
    ...removeDelta.map((file) => ({ direction: "remove" as const, path: path.resolve(file) })),
    ...applyDelta.map((file) => ({ direction: "apply" as const, path: path.resolve(file) })),
  ];
  try {
    let hash: string | undefined;
    for (const delta of deltas) {
      throwIfAborted(signal);
      const base = hash ?? (await contentHash(files));
      hash = await changeByDelta({ native, layers: config.layers, base }, delta);
    }
    return new LanguageModel({ name, directory, config, tokenizer, native, files, companions, deltas, hash });
  } catch (error) {
    native.dispose();
    throw error;
  }
}

/** A model before its weights are read; `source` and errors as for `loadModel`. */
export async function findModel(source: string): Promise<ModelSource> {
  if (source.startsWith(BUILTIN)) {
    return DirectorySource.open(source, builtinDirectory(source.slice(BUILTIN.length)));
  }
  if (Object.hasOwn(NAMED_MODELS, source)) return GgufSource.open(source, await findNamedModel(source));
  const place = path.resolve(source);
  const found = await stat(place).catch(() => undefined);
  if (found?.isDirectory()) return DirectorySource.open(path.basename(place), place);
  if (found?.isFile()) return GgufSource.open(path.basename(place), place);
  throw notFound(source);
}

function notFound(source: string): LyaplockError {
  const named = Object.keys(NAMED_MODELS).join(", ");
  const accepted = `A model is "builtin:atlas", ${named}, a .gguf file, or a directory with config.json and safetensors`;
  const hub = /^[\w.-]+\/[\w.-]+$/.test(source) ? " (models are not fetched from a hub: download it first)" : "";
  return new LyaplockError("ERR_FILE", `there is no file or directory ${source}${hub}. ${accepted}.`);
}
