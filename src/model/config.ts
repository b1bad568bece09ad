import { z } from "zod";
import { describeIssues, readJsonFile } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";
import type { ModelDescription } from "../native/addon.js";
import { describeGpt2 } from "./families/gpt2.js";
import { describeGptj } from "./families/gptj.js";
import { describeLlama, describeMistral, describeQwen2, describeQwen3 } from "./families/llama.js";

/** A validated config.json, under our own names. */
export type ModelConfig = ModelDescription;

/** By `model_type` of transformers. */
const FAMILIES: Record<string, (json: unknown) => ModelDescription> = {
  gpt2: describeGpt2,
  gptj: describeGptj,
  llama: describeLlama,
  mistral: describeMistral,
  qwen2: describeQwen2,
  qwen3: describeQwen3,
};

const anyConfig = z.looseObject({
  model_type: z.string().optional(),
  architectures: z.array(z.string()).nullish(),
  quantization_config: z.looseObject({ quant_method: z.string().optional() }).nullish(),
});

/**
 * Reads a config.json as transformers 4 and 5 write it.
 *
 * @throws ERR_FILE, ERR_MODEL_FORMAT when it is no valid configuration, ERR_UNKNOWN_ARCHITECTURE for families we do not
 *   have, ERR_UNSUPPORTED for variants of those we have; each names the file.
 */
export async function readModelConfig(path: string): Promise<ModelConfig> {
  return parseModelConfig(await readJsonFile(path, "ERR_MODEL_FORMAT"), path);
}

/** `readModelConfig` for JSON that has been parsed. `path` is for messages. */
export function parseModelConfig(json: unknown, path: string): ModelConfig {
  try {
    const description = describe(json);
    checkHeads(description);
    return description;
  } catch (error) {
    if (error instanceof z.ZodError) throw new LyaplockError("ERR_MODEL_FORMAT", `${path}: ${describeIssues(error)}`);
    if (error instanceof LyaplockError) throw new LyaplockError(error.code, `${path}: ${error.message}`);
    throw error;
  }
}

function describe(json: unknown): ModelDescription {
  const { model_type: type, architectures, quantization_config: quantization } = anyConfig.parse(json);
  if (type === undefined || !Object.hasOwn(FAMILIES, type)) {
    const found = `architecture ${architectures?.join(", ") ?? "(none named)"} of model_type "${type ?? "(none)"}"`;
    const known = Object.keys(FAMILIES)
      .map((name) => `"${name}"`)
      .join(", ");
    throw new LyaplockError("ERR_UNKNOWN_ARCHITECTURE", `${found} is not known; model_type can be ${known}`);
  }
  if (quantization) {
    const what = `weights quantized with "${quantization.quant_method ?? "an unnamed method"}" are not supported`;
    throw new LyaplockError("ERR_UNSUPPORTED", `${what}; use the checkpoint they were made from`);
  }
  return FAMILIES[type]!(json);
}

function checkHeads({ heads, keyValueHeads, headWidth, width }: ModelDescription): void {
  const fail = (message: string) => {
    throw new LyaplockError("ERR_MODEL_FORMAT", message);
  };
  if (!Number.isInteger(headWidth)) fail(`${heads} heads do not divide a width of ${width}`);
  if (heads % keyValueHeads !== 0) fail(`${keyValueHeads} key/value heads do not divide ${heads} heads`);
}
