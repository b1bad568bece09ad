import { stat } from "node:fs/promises";
import path from "node:path";
import { throwIfAborted } from "../base/abort.js";
import { contentHash } from "../base/content-hash.js";
import { LyaplockError } from "../errors.js";
import type { WeightType } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { builtinDirectory } from "./builtin.js";
import { changeByDelta, type ModelDelta } from "./delta.js";
import { DirectorySource } from "./directory-source.js";
import { GgufSource } from "./gguf/source.js";
import { fetchConfig, fetchModel, type HubOptions } from "./hub.js";
import { type HubName, parseHubName } from "./hub-name.js";
import { LanguageModel } from "./language-model.js";
import { findNamedModel, isNamedModel, NAMED_MODELS } from "./named-models.js";
import type { ModelSource } from "./source.js";

const BUILTIN = "builtin:";

/** Progress and notes are those of a download from a hub. */
export interface LoadOptions extends HubOptions {
  /**
   * How weights are held. "bf16" takes half the memory and is exact for a checkpoint in bfloat16, whose weights then stay in the
   * mapped file; those of another are rounded. Default "f32".
   */
  weights?: WeightType | undefined;
  /** Files that `saveDelta` wrote, put on in this order, after `removeDelta`. */
  applyDelta?: readonly string[] | undefined;
  /** Files that `saveDelta` wrote, taken off in this order. */
  removeDelta?: readonly string[] | undefined;
}

/**
 * Loads a model for editing; all arithmetic is float32.
 *
 * @param source "builtin:atlas"; the name of a model that `getModel` has put into the cache, "smollm2-135m"; a GGUF file; a
 *   directory as transformers' save_pretrained writes it (config.json, safetensors, tokenizer.json, tokenizer_config.json); or
 *   "org/name" or "org/name@revision" on the hub, which is downloaded into the cache once ($HF_ENDPOINT, $HF_TOKEN and
 *   $HF_HUB_OFFLINE are heeded; `model.source` names the commit).
 * @throws ERR_FILE, ERR_MODEL_FORMAT, ERR_TOKENIZER, ERR_UNKNOWN_ARCHITECTURE, ERR_UNSUPPORTED, ERR_HUB, ERR_ABORTED;
 *   ERR_DELTA for a delta that was made for another model, or is applied already, or is not there to be removed
 */
export async function loadModel(source: string, options: LoadOptions = {}): Promise<LanguageModel> {
  const { weights = "f32", applyDelta = [], removeDelta = [], signal } = options;
  const found = await locate(source, fetchModel, options);
  const { name, directory, config } = found;
  const weightFiles = await found.weightFiles();
  const tokenizer = await found.tokenizer();
  const [files, companions] = [await found.files(), await found.companions()];
  const native = await call((cancellation) => addon().loadModel(config, weightFiles, weights, cancellation), signal);
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
    const place = { name, source: found.source, directory };
    return new LanguageModel({ ...place, config, tokenizer, native, weights, files, companions, deltas, hash });
  } catch (error) {
    native.dispose();
    throw error;
  }
}

/** A model before its weights are read, or fetched; `source` and errors as for `loadModel`. */
export function findModel(source: string, options: HubOptions = {}): Promise<ModelSource> {
  return locate(source, fetchConfig, options);
}

async function locate(source: string, fetch: typeof fetchModel, options: HubOptions): Promise<ModelSource> {
  if (source.startsWith(BUILTIN)) {
    return DirectorySource.open({ name: source, source }, builtinDirectory(source.slice(BUILTIN.length)));
  }
  if (isNamedModel(source)) {
    return GgufSource.open({ name: source, source }, await findNamedModel(source));
  }
  const hubName = parseHubName(source);
  if (hubName !== undefined) return fetched(source, hubName, fetch, options);
  const place = path.resolve(source);
  const named = { name: path.basename(place), source: place };
  const found = await stat(place).catch(() => undefined);
  if (found?.isDirectory()) return DirectorySource.open(named, place);
  if (found?.isFile()) return GgufSource.open(named, place);
  const known = Object.keys(NAMED_MODELS).join(", ");
  const accepted = `A model is "builtin:atlas", ${known}, a .gguf file, a directory with config.json and safetensors, or "org/name" on the hub`;
  throw new LyaplockError("ERR_FILE", `there is no file or directory ${source}. ${accepted}.`);
}

async function fetched(
  source: string,
  hubName: HubName,
  fetch: typeof fetchModel,
  options: HubOptions,
): Promise<ModelSource> {
  const { repository } = hubName;
  try {
    const { directory, commit } = await fetch(hubName, options);
    return await DirectorySource.open({ name: repository, source: `${repository}@${commit}` }, directory);
  } catch (error) {
    if (!(error instanceof LyaplockError && error.code === "ERR_HUB")) throw error;
    const what = `${error.message}. There is no directory ${path.resolve(source)} either`;
    throw new LyaplockError("ERR_HUB", what, { cause: error });
  }
}
