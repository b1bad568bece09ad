import path from "node:path";
import { type ModelConfig, readModelConfig } from "./config.js";
import type { ModelSource } from "./source.js";
import { Tokenizer } from "./tokenizer.js";
import { findWeightFiles } from "./weight-files.js";

const CONFIG = "config.json";

/** A model in a directory as transformers writes it. */
export class DirectorySource implements ModelSource {
  private constructor(
    readonly name: string,
    readonly source: string,
    readonly directory: string,
    readonly config: ModelConfig,
  ) {}

  /** @throws ERR_FILE, ERR_MODEL_FORMAT, ERR_UNKNOWN_ARCHITECTURE, ERR_UNSUPPORTED */
  static async open(
    { name, source }: Pick<ModelSource, "name" | "source">,
    directory: string,
  ): Promise<DirectorySource> {
    return new DirectorySource(name, source, directory, await readModelConfig(path.join(directory, CONFIG)));
  }

  weightFiles(): Promise<string[]> {
    return findWeightFiles(this.directory);
  }

  async files(): Promise<string[]> {
    return [path.join(this.directory, CONFIG), ...(await this.weightFiles())];
  }

  tokenizer(): Promise<Tokenizer> {
    return Tokenizer.load(this.directory);
  }

  async companions(): Promise<string> {
    return this.directory;
  }
}
