import { stat } from "node:fs/promises";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { Tokenizer as Implementation } from "@huggingface/tokenizers";
import { z } from "zod";
import { describeIssues, readJsonFile } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";

/** A special token is written as its text or as an object around it. */
const specialToken = z
  .union([z.string(), z.object({ content: z.string() }).transform(({ content }) => content)])
  .nullish()
  .transform((token) => token ?? undefined);

const tokenizerConfig = z.looseObject({ bos_token: specialToken, eos_token: specialToken, unk_token: specialToken });

/** Text to token ids and back, as transformers does it with the same files. */
export class Tokenizer {
  /** Of "beginning of sequence", where the tokenizer has such a token (it need not add it). */
  readonly bosId: number | undefined;
  readonly endOfTextId: number | undefined;
  /** How the BOS reads in decoded text. */
  readonly bosText: string | undefined;
  /** True when `encode` puts the BOS in front. */
  readonly addsBos: boolean;
  readonly unknownId: number | undefined;

  private constructor(
    private readonly implementation: Implementation,
    config: z.infer<typeof tokenizerConfig>,
  ) {
    const idOf = (text: string | undefined) => (text === undefined ? undefined : implementation.token_to_id(text));
    this.bosText = config.bos_token;
    this.bosId = idOf(config.bos_token);
    this.endOfTextId = idOf(config.eos_token);
    this.unknownId = idOf(config.unk_token);
    this.addsBos = this.bosId !== undefined && this.encode("")[0] === this.bosId;
  }

  /** From tokenizer.json and tokenizer_config.json of a model's directory. @throws ERR_TOKENIZER */
  static async load(directory: string): Promise<Tokenizer> {
    const file = path.join(directory, "tokenizer.json");
    const definition = await readTokenizerFile(file);
    const configPath = path.join(directory, "tokenizer_config.json");
    const config = tokenizerConfig.safeParse(await readTokenizerFile(configPath));
    if (!config.success) throw new LyaplockError("ERR_TOKENIZER", `${configPath}: ${describeIssues(config.error)}`);
    return Tokenizer.create(definition, config.data, file);
  }

  /**
   * From the content of those files.
   *
   * @param place for messages.
   * @throws ERR_TOKENIZER
   */
  static async create(definition: unknown, config: object, place: string): Promise<Tokenizer> {
    await setImmediate(); // parsing took its time, and so will building
    try {
      const implementation = new Implementation(definition as object, config);
      await setImmediate();
      const tokenizer = new Tokenizer(implementation, tokenizerConfig.parse(config));
      tokenizer.encode("What cannot be used shall fail here and not at the first fact.");
      return tokenizer;
    } catch (error) {
      const what = `${place} cannot be used as a tokenizer: ${(error as Error).message}`;
      throw new LyaplockError("ERR_TOKENIZER", what, { cause: error });
    }
  }

  /** Ids with special tokens: a BOS in front, where the tokenizer adds one. */
  encode(text: string): number[] {
    return this.implementation.encode(text).ids;
  }

  /** Ids of a text that continues another: one leading BOS or unknown token is dropped (reference, section 3). */
  encodeTarget(text: string): number[] {
    const ids = this.encode(text);
    const drop = ids.length > 0 && (ids[0] === this.bosId || ids[0] === this.unknownId);
    return drop ? ids.slice(1) : ids;
  }

  /** Text of ids, special tokens included and spaces as they are, so that encoding it again gives the ids. */
  decode(ids: readonly number[]): string {
    return this.textOf(ids, false);
  }

  /** The same without special tokens: for people to read. */
  decodeText(ids: readonly number[]): string {
    return this.textOf(ids, true);
  }

  private textOf(ids: readonly number[], skipSpecial: boolean): string {
    if (ids.length === 0) return ""; // the implementation refuses it
    // "Clean-up" would eat the space before a comma, and with it the round trip.
    const options = { skip_special_tokens: skipSpecial, clean_up_tokenization_spaces: false };
    return this.implementation.decode([...ids], options);
  }
}

async function readTokenizerFile(file: string): Promise<unknown> {
  try {
    await stat(file);
  } catch (error) {
    const advice =
      "A model's directory needs tokenizer.json and tokenizer_config.json, as save_pretrained writes them.";
    throw new LyaplockError("ERR_TOKENIZER", `there is no ${file}. ${advice}`, { cause: error });
  }
  return readJsonFile(file, "ERR_TOKENIZER");
}
