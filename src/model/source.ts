import type { ModelConfig } from "./config.js";
import type { ModelDocuments } from "./save.js";
import type { Tokenizer } from "./tokenizer.js";

/** A model before its weights are read. */
export interface ModelSource {
  /** "builtin:atlas", "smollm2-135m", or the name of the directory or file. */
  readonly name: string;
  /** What `loadModel` makes the same model of at any time. */
  readonly source: string;
  /** Where its files lie. */
  readonly directory: string;
  readonly config: ModelConfig;
  /** What native code reads. */
  weightFiles(): Promise<string[]>;
  /** All files that make the model what it is. */
  files(): Promise<string[]>;
  tokenizer(): Promise<Tokenizer>;
  /** What a saved model has beside its weights: what is in a directory, or documents. */
  companions(): Promise<string | ModelDocuments>;
}
