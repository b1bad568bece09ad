import { createHash } from "node:crypto";
import { contentHash } from "../base/content-hash.js";
import { LyaplockError } from "../errors.js";
import type { FloatType, NativeMatrix, NativeModel, SavedMatrix, WeightType } from "../native/addon.js";
import { call } from "../native/index.js";
import type { ModelConfig } from "./config.js";
import { type ModelDelta, writeDelta } from "./delta.js";
import { tidyGeneratedText } from "./generated-text.js";
import { drawTokens, type GeneratedText, type GenerationOptions } from "./generation.js";
import { IncrementalDecoder } from "./incremental-decoder.js";
import { mostProbable, type NextToken } from "./next-tokens.js";
import { type ModelDocuments, saveModelDirectory } from "./save.js";
import { packTokens } from "./token-batch.js";
import type { Tokenizer } from "./tokenizer.js";

/** What a `LanguageModel` is made of; `loadModel` puts it together. */
export interface LanguageModelParts {
  name: string;
  source: string;
  directory: string;
  config: ModelConfig;
  tokenizer: Tokenizer;
  native: NativeModel;
  weights: WeightType;
  /** The files that make the model what it is: its configuration and weights. */
  files: string[];
  /** What `save` puts beside the weights: what is in a directory, or documents. */
  companions: string | ModelDocuments;
  /** What changed the weights after they were read. */
  deltas: readonly ModelDelta[];
  /** sha256 of all that, where it is known. */
  hash: string | undefined;
}

/** How `save` writes the edited matrices; "as-is" is the type each has in the checkpoint. */
export type SaveType = "as-is" | "f32" | "f16" | "bf16";

/** A transformer, its tokenizer, and where they came from. Made by `loadModel`. */
export class LanguageModel {
  /** "builtin:atlas", "smollm2-135m", or the name of the directory, of the file, or of the repository on the hub. */
  readonly name: string;
  /** What `loadModel` makes the same model of at any time: on a hub, "org/name@" and the commit. */
  readonly source: string;
  /** Where its files lie. */
  readonly directory: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  /** The weights and what is computed with them. */
  readonly native: NativeModel;
  /** Deltas it was loaded with, in order. */
  readonly deltas: readonly ModelDelta[];
  /** How its weights are held. */
  readonly weights: WeightType;
  private readonly files: string[];
  private readonly companions: string | ModelDocuments;
  private hash: Promise<string> | undefined;

  constructor(parts: LanguageModelParts) {
    const { name, source, directory, config, tokenizer, native, weights, files, companions, deltas, hash } = parts;
    this.name = name;
    this.source = source;
    this.directory = directory;
    this.config = config;
    this.tokenizer = tokenizer;
    this.native = native;
    this.weights = weights;
    this.files = files;
    this.companions = companions;
    this.deltas = deltas;
    this.hash = hash === undefined ? undefined : Promise.resolve(hash);
  }

  /** sha256, hex, of the files and deltas it was loaded from; edits in memory do not change it. */
  contentHash(): Promise<string> {
    this.hash ??= contentHash(this.files);
    return this.hash;
  }

  /** Of what it computes: `contentHash`, and another one where weights are held in another type than float32. */
  async computedHash(): Promise<string> {
    const hash = await this.contentHash();
    return this.weights === "f32" ? hash : createHash("sha256").update(`${hash} ${this.weights}`).digest("hex");
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
   * has `maxLength` tokens in all, and tidied as the reference tidies them. `generateStream` gives them as they are.
   *
   * @throws ERR_TOO_LONG when maxLength or a prompt exceeds the model's positions; ERR_NOT_FINITE for damaged weights
   */
  async generate(prompts: readonly string[], options: GenerationOptions): Promise<string[]> {
    const sequences = this.encodeForGeneration(prompts, options);
    for await (const drawn of drawTokens(this.native, sequences, options)) {
      for (const { sequence, token } of drawn) sequences[sequence]!.push(token);
    }
    return sequences.map((ids) => tidyGeneratedText(this.tokenizer.decode(ids), this.tokenizer.bosText));
  }

  /**
   * What `generate` draws, piece by piece as it is drawn: the texts that continue the prompts, all of them together, without
   * special tokens. A piece never ends within a character. Leaving the loop stops the generation.
   *
   * @throws as `generate`, once the first piece is asked for
   *
   * @example
   * for await (const { text } of model.generateStream(["The capital of Peru is"], { maxLength: 40, topK: 1 }))
   *   process.stdout.write(text);
   */
  async *generateStream(prompts: readonly string[], options: GenerationOptions): AsyncGenerator<GeneratedText> {
    const sequences = this.encodeForGeneration(prompts, options);
    const decode = (ids: readonly number[]) => this.tokenizer.decodeText(ids);
    const decoders = sequences.map((ids) => new IncrementalDecoder(decode, ids));
    for await (const drawn of drawTokens(this.native, sequences, options)) {
      for (const { sequence, token } of drawn) {
        const text = decoders[sequence]!.push(token);
        if (text !== "") yield { prompt: sequence, text };
      }
    }
    for (const [prompt, decoder] of decoders.entries()) {
      const text = decoder.end();
      if (text !== "") yield { prompt, text };
    }
  }

  /**
   * Writes a directory that transformers loads: edited matrices in the checkpoint's layout, all else byte for byte as it was.
   * It is made beside its place and renamed, so that it is there whole or not at all.
   *
   * @param dtype Of the edited matrices. By default each is rounded, to nearest, to the type it has in the checkpoint, and the
   *   directory is as large as the original; "f32" keeps every bit of them, and makes the config ask for float32 so that no
   *   loader rounds them.
   * @returns How each of them was saved, and what rounding changed of it.
   * @throws ERR_FILE when `directory` exists and is not empty, or cannot be written;
   *   ERR_NOT_FINITE when an element is too large for "f16";
   *   ERR_UNSUPPORTED when no weight was changed: an unedited model is never saved as edited.
   */
  async save(directory: string, { dtype = "as-is" }: { dtype?: SaveType | undefined } = {}): Promise<SavedMatrix[]> {
    if (!(this.deltas.length > 0 || (await this.isEdited()))) {
      const what = `no weight of ${this.name} differs from its checkpoint; edit the model before saving it`;
      throw new LyaplockError("ERR_UNSUPPORTED", what);
    }
    const type = dtype === "as-is" ? undefined : (dtype.toUpperCase() as FloatType);
    let saved: SavedMatrix[] = [];
    const writeWeights = async (into: string) => {
      saved = await call(() => this.native.save(into, type));
      return { asFloat32: dtype === "f32" || saved.some(({ type, was }) => type !== was) };
    };
    await saveModelDirectory({ source: this.companions, directory, writeWeights });
    return saved;
  }

  /**
   * Writes only what edits have changed, as one file from which `loadModel` makes the edited model of the original, to the bit
   * (`applyDelta`), and the original of the edited one (`removeDelta`).
   *
   * @param drifts As `SequentialEditor.drifts` gives them: with them a few facts take a small file.
   * @throws ERR_UNSUPPORTED when no weight was edited, ERR_FILE
   */
  async saveDelta(
    file: string,
    { drifts = new Map() }: { drifts?: ReadonlyMap<number, NativeMatrix> } = {},
  ): Promise<void> {
    const { name, native } = this;
    const base = await this.contentHash();
    await writeDelta({ name, native, layers: this.config.layers, base }, file, drifts);
  }

  /** Frees the weights; using the model afterwards is an error. */
  dispose(): void {
    this.native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private encodeForGeneration(prompts: readonly string[], { maxLength }: GenerationOptions): number[][] {
    if (maxLength > this.config.positions) {
      const limit = `the model has ${this.config.positions} positions`;
      throw new LyaplockError("ERR_TOO_LONG", `texts of ${maxLength} tokens were asked for; ${limit}`);
    }
    return prompts.map((prompt) => this.encodePrompt(prompt));
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
