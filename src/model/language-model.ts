import { contentHash } from "../base/content-hash.js";
import { LyaplockError } from "../errors.js";
import type { NativeModel } from "../native/addon.js";
import { call } from "../native/index.js";
import type { ModelConfig } from "./config.js";
import { tidyGeneratedText } from "./generated-text.js";
import { mostProbable, type NextToken } from "./next-tokens.js";
import { type ModelDocuments, saveModelDirectory } from "./save.js";
import { packTokens, unpackTokens } from "./token-batch.js";
import type { Tokenizer } from "./tokenizer.js";

/** What a `LanguageModel` is made of; `loadModel` puts it together. */
export interface LanguageModelParts {
  name: string;
  directory: string;
  config: ModelConfig;
  tokenizer: Tokenizer;
  native: NativeModel;
  /** The files that make the model what it is: its configuration and weights. */
  files: string[];
  /** What `save` puts beside the weights: what is in a directory, or documents. */
  companions: string | ModelDocuments;
}

/** A transformer, its tokenizer, and where they came from. Made by `loadModel`. */
export class LanguageModel {
  /** "builtin:atlas", "smollm2-135m", or the name of the directory or file. */
  readonly name: string;
  /** Where its files lie. */
  readonly directory: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  /** The weights and what is computed with them. */
  readonly native: NativeModel;
  private readonly files: string[];
  private readonly companions: string | ModelDocuments;
  private hash: Promise<string> | undefined;

  constructor({ name, directory, config, tokenizer, native, files, companions }: LanguageModelParts) {
    this.name = name;
    this.directory = directory;
    this.config = config;
    this.tokenizer = tokenizer;
    this.native = native;
    this.files = files;
    this.companions = companions;
  }

  /** sha256, hex, of config.json and the weight files, or of the GGUF file; edits in memory do not change it. */
  contentHash(): Promise<string> {
    this.hash ??= contentHash(this.files);
    return this.hash;
  }

  /**
   * Token ids of a prompt, after checking that the model has a position for each of them.
   *
   * @param room positions that must stay free behind the prompt.
   * @throws ERR_INVALID_ARGUMENT for a prompt without tokens, ERR_TOO_LONG
   */
  encodePrompt(prompt: string, room = 0): number[] {
    const tokens = this.tokenizer.encode(prompt);
    if (tokens.length === 0) throw new LyaplockError("ERR_INVALID_ARGUMENT", "the prompt is empty");
    if (tokens.length + room > this.config.positions) {
      const what = `a prompt of ${tokens.length} tokens${room > 0 ? ` and ${room} more` : ""}`;
      const text = `${prompt.slice(0, 40)}${prompt.length > 40 ? "…" : ""}`;
      throw new LyaplockError(
        "ERR_TOO_LONG",
        `${what} exceeds the model's ${this.config.positions} positions: "${text}"`,
      );
    }
    return tokens;
  }

  /** Logits [tokens, vocabulary] at every token of a prompt. */
  async logits(
    prompt: string,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<{ tokens: number[]; logits: Float32Array }> {
    const tokens = this.encodePrompt(prompt);
    return { tokens, logits: await this.logitsAt(tokens, Int32Array.from(tokens.keys()), signal) };
  }

  /** The most probable next tokens after a prompt, most probable first. */
  async nextTokens(
    prompt: string,
    { top = 10, signal }: { top?: number; signal?: AbortSignal } = {},
  ): Promise<NextToken[]> {
    const tokens = this.encodePrompt(prompt);
    const logits = await this.logitsAt(tokens, Int32Array.of(tokens.length - 1), signal);
    return mostProbable(logits, top, (token) => this.tokenizer.decode([token]));
  }

  /**
   * Texts, prompts included, drawn as the reference does (section 4): among the `topK` most probable tokens, until a text
   * has `maxLength` tokens in all. Prompt i draws from a stream of its own made from (seed, i).
   *
   * @throws ERR_TOO_LONG when maxLength or a prompt exceeds the model's positions
   */
  async generate(
    prompts: readonly string[],
    options: { maxLength: number; topK?: number; seed?: number; signal?: AbortSignal },
  ): Promise<string[]> {
    const { maxLength, topK = 5, seed = 42, signal } = options;
    if (maxLength > this.config.positions) {
      const limit = `the model has ${this.config.positions} positions`;
      throw new LyaplockError("ERR_TOO_LONG", `texts of ${maxLength} tokens were asked for; ${limit}`);
    }
    if (prompts.length === 0) return [];
    const batch = packTokens(prompts.map((prompt) => this.encodePrompt(prompt)));
    const extended = await call(
      (cancellation) => this.native.generate(batch, { maxLength, topK, seed }, cancellation),
      signal,
    );
    return unpackTokens(extended).map((ids) => tidyGeneratedText(this.tokenizer.decode(ids), this.tokenizer.bosText));
  }

  /**
   * Writes a directory that transformers loads: edited matrices as float32, all else as it was, but that what is quantised
   * in a GGUF file becomes float32 too. It is made beside its place and renamed, so that it is there whole or not at all.
   *
   * @throws ERR_FILE when `directory` exists and is not empty, or cannot be written;
   *   ERR_UNSUPPORTED when no weight was changed: an unedited model is never saved as edited.
   */
  async save(directory: string): Promise<void> {
    if (!(await this.isEdited())) {
      const what = `no weight of ${this.name} differs from its checkpoint; edit the model before saving it`;
      throw new LyaplockError("ERR_UNSUPPORTED", what);
    }
    const source = this.companions;
    await saveModelDirectory({ source, directory, writeWeights: (into) => call(() => this.native.save(into)) });
  }

  /** Frees the weights; using the model afterwards is an error. */
  dispose(): void {
    this.native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private async isEdited(): Promise<boolean> {
    for (let layer = 0; layer < this.config.layers; layer++) {
      const { changed } = await call(() => this.native.weightChange(layer));
      if (changed > 0) return true;
    }
    return false;
  }

  private async logitsAt(tokens: number[], rows: Int32Array, signal?: AbortSignal): Promise<Float32Array> {
    const batch = packTokens([tokens]);
    const logits = await call((cancellation) => this.native.logits(batch, rows, cancellation), signal);
    try {
      return await call(() => logits.toFloat32Array());
    } finally {
      logits.dispose();
    }
  }
}
