export { BUILTIN_MODELS, type BuiltinFiles, type BuiltinModel, builtinDirectory, builtinFiles } from "./builtin.js";
export { type ModelConfig, parseModelConfig, readModelConfig } from "./config.js";
export type { GeneratedText, GenerationOptions } from "./generation.js";
export { LanguageModel, type SaveType } from "./language-model.js";
export { loadModel } from "./load.js";
export type { NextToken } from "./next-tokens.js";
export { packTokens } from "./token-batch.js";
export { Tokenizer } from "./tokenizer.js";
