import path from "node:path";
import { type ModelConfig, parseModelConfig } from "../config.js";
import type { ModelDocuments } from "../save.js";
import type { ModelSource } from "../source.js";
import { Tokenizer } from "../tokenizer.js";
import { configFromGguf } from "./config.js";
import { GgufHeader } from "./header.js";
import { type TokenizerDocuments, tokenizerFromGguf } from "./tokenizer.js";

/** A model in one GGUF file: its configuration, tokenizer and weights. */
export class GgufSource implements ModelSource {
  readonly directory: string;
  private tokenizerDocuments: Promise<TokenizerDocuments> | undefined;

  private constructor(
    readonly name: string,
    readonly source: string,
    readonly config: ModelConfig,
    private readonly configDocument: object,
    private readonly header: GgufHeader,
  ) {
    this.directory = path.dirname(header.path);
  }

  /** @throws ERR_FILE, ERR_MODEL_FORMAT, ERR_UNKNOWN_ARCHITECTURE, ERR_UNSUPPORTED */
  static async open({ name, source }: Pick<ModelSource, "name" | "source">, file: string): Promise<GgufSource> {
    const header = await GgufHeader.read(file);
    const document = await configFromGguf(header);
    return new GgufSource(name, source, parseModelConfig(document, file), document, header);
  }

  async weightFiles(): Promise<string[]> {
    return [this.header.path];
  }

  files(): Promise<string[]> {
    return this.weightFiles();
  }

  async tokenizer(): Promise<Tokenizer> {
    const { tokenizer, tokenizerConfig } = await this.documents();
    return Tokenizer.create(tokenizer, tokenizerConfig, this.header.path);
  }

  async companions(): Promise<ModelDocuments> {
    const { tokenizer, tokenizerConfig } = await this.documents();
    return {
      "config.json": this.configDocument,
      "tokenizer.json": tokenizer,
      "tokenizer_config.json": tokenizerConfig,
    };
  }

  private documents(): Promise<TokenizerDocuments> {
    this.tokenizerDocuments ??= tokenizerFromGguf(this.header);
    return this.tokenizerDocuments;
  }
}
