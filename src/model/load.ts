import { stat } from "node:fs/promises";
import path from "node:path";
import { throwIfAborted } from "../base/abort.js";
import { LyaplockError } from "../errors.js";
import { addon, call } from "../native/index.js";
import { builtinDirectory } from "./builtin.js";
import { readModelConfig } from "./config.js";
import { changeByDelta, type ModelDelta } from "./delta.js";
import { fetchConfig, fetchModel, type HubOptions } from "./hub.js";
import { parseHubName } from "./hub-name.js";
import { LanguageModel } from "./language-model.js";
import { Tokenizer } from "./tokenizer.js";
import { findWeightFiles, modelHash } from "./weight-files.js";

const BUILTIN = "builtin:";

/** Progress and notes are those of a download from a hub. */
export interface LoadOptions extends HubOptions {
  /** Files that `saveDelta` wrote, put on in this order, after `removeDelta`. */
  applyDelta?: readonly string[] | undefined;
  /** Files that `saveDelta` wrote, taken off in this order. */
  removeDelta?: readonly string[] | undefined;
}

/**
 * Loads a model for editing, in float32.
 *
 * @param source "builtin:atlas"; or a directory as transformers' save_pretrained writes it (config.json, safetensors,
 *   tokenizer.json, tokenizer_config.json); or "org/name" or "org/name@revision" on the hub, which is downloaded into the cache
 *   once ($HF_ENDPOINT, $HF_TOKEN and $HF_HUB_OFFLINE are heeded; `model.source` names the commit).
 * @throws ERR_FILE, ERR_MODEL_FORMAT, ERR_TOKENIZER, ERR_UNKNOWN_ARCHITECTURE, ERR_UNSUPPORTED, ERR_HUB, ERR_ABORTED;
 *   ERR_DELTA for a delta that was made for another model, or is applied already, or is not there to be removed
 */
export async function loadModel(source: string, options: LoadOptions = {}): Promise<LanguageModel> {
  const { applyDelta = [], removeDelta = [], signal } = options;
  const place = await locate(source, () => fetchOf(source, fetchModel, options));
  const config = await readModelConfig(path.join(place.directory, "config.json"));
  const weightFiles = await findWeightFiles(place.directory);
  const tokenizer = await Tokenizer.load(place.directory);
  const native = await call((cancellation) => addon().loadModel(config, weightFiles, cancellation), signal);
  const deltas: ModelDelta[] = [
    ...removeDelta.map((file) => ({ direction: "remove" as const, path: path.resolve(file) })),
    ...applyDelta.map((file) => ({ direction: "apply" as const, path: path.resolve(file) })),
  ];
  try {
    let hash: string | undefined;
    for (const delta of deltas) {
      throwIfAborted(signal);
      const base = hash ?? (await modelHash(place.directory, weightFiles));
      hash = await changeByDelta({ native, layers: config.layers, base }, delta);
    }
    return new LanguageModel({ ...place, config, tokenizer, native, weightFiles, deltas, hash });
  } catch (error) {
    native.dispose();
    throw error;
  }
}

/** A model of which config.json is read and nothing else; `source` and errors as for `loadModel`. */
export async function findModel(
  source: string,
  options: HubOptions = {},
): Promise<Pick<LanguageModel, "name" | "directory" | "config">> {
  const { name, directory } = await locate(source, () => fetchOf(source, fetchConfig, options));
  return { name, directory, config: await readModelConfig(path.join(directory, "config.json")) };
}

type Place = Pick<LanguageModel, "name" | "source" | "directory">;

async function locate(source: string, fromHub: () => Promise<Place | undefined>): Promise<Place> {
  if (source.startsWith(BUILTIN)) {
    const directory = builtinDirectory(source.slice(BUILTIN.length));
    await checkDirectory(source, directory);
    return { name: source, source, directory };
  }
  const fetched = await fromHub();
  if (fetched !== undefined) return fetched;
  const directory = path.resolve(source);
  await checkDirectory(source, directory);
  return { name: path.basename(directory), source: directory, directory };
}

/** Undefined for what is no name on a hub. */
async function fetchOf(source: string, fetch: typeof fetchModel, options: HubOptions): Promise<Place | undefined> {
  const name = parseHubName(source);
  if (name === undefined) return undefined;
  try {
    const { directory, commit } = await fetch(name, options);
    return { name: name.repository, source: `${name.repository}@${commit}`, directory };
  } catch (error) {
    if (!(error instanceof LyaplockError && error.code === "ERR_HUB")) throw error;
    const what = `${error.message}. There is no directory ${path.resolve(source)} either`;
    throw new LyaplockError("ERR_HUB", what, { cause: error });
  }
}

async function checkDirectory(source: string, directory: string): Promise<void> {
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory()) return;
  const accepted = `A model is "builtin:atlas", a directory with config.json and safetensors, or "org/name" on the hub`;
  if (found || source.endsWith(".gguf")) {
    throw new LyaplockError(
      "ERR_UNSUPPORTED",
      `${source} is not a directory, and single files are not read. ${accepted}.`,
    );
  }
  throw new LyaplockError("ERR_FILE", `there is no directory ${source}. ${accepted}.`);
}
