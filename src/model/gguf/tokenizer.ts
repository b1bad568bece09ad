import { setImmediate } from "node:timers/promises";
import type { GgufHeader } from "./header.js";
import { mergesOfPieces } from "./merges.js";
import { byteLevelSplits, type Splits } from "./splits.js";

/** tokenizer.json and tokenizer_config.json, parsed. */
export interface TokenizerDocuments {
  tokenizer: Record<string, unknown>;
  tokenizerConfig: Record<string, unknown>;
}

/** In "tokenizer.ggml.token_type". */
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;

/** How SentencePiece writes a space. */
const SPACE = "▁";

/**
 * The tokenizer of a GGUF file as Hugging Face's tokenizers writes it: of "tokenizer.ggml.model" "gpt2", byte-level BPE, or
 * "llama", SentencePiece BPE.
 *
 * @throws ERR_TOKENIZER for other models and for tables that do not hold together, ERR_MODEL_FORMAT for missing ones
 */
export async function tokenizerFromGguf(header: GgufHeader): Promise<TokenizerDocuments> {
  await setImmediate(); // parsing took its time, and so will this
  const model = header.get("text", "tokenizer.ggml.model");
  const tokens = header.get("texts", "tokenizer.ggml.tokens");
  const common = { version: "1.0", truncation: null, padding: null, added_tokens: addedTokens(header, tokens) };
  const special = specialTokens(header, tokens);
  const tokenizerConfig = {
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    model_max_length: header.find("number", `${header.get("text", "general.architecture")}.context_length`),
    ...special,
  };
  if (model === "gpt2") {
    const splits = byteLevelSplits(header);
    const tokenizer = { ...common, ...byteLevel(header, tokens, splits) };
    return {
      tokenizer: { ...tokenizer, post_processor: framing(header, tokens, splits.addsBos ?? false) },
      tokenizerConfig,
    };
  }
  if (model === "llama") {
    const tokenizer = { ...common, ...(await sentencePiece(header, tokens, special.unk_token)) };
    return { tokenizer: { ...tokenizer, post_processor: framing(header, tokens, true) }, tokenizerConfig };
  }
  throw header.error(`its tokenizer is "${model}"; "gpt2" and "llama" are known`, "ERR_TOKENIZER");
}

function byteLevel(header: GgufHeader, tokens: string[], splits: Splits) {
  const merges = header.get("texts", "tokenizer.ggml.merges").map((merge) => {
    const space = merge.indexOf(" ", 1);
    if (space < 0) throw header.error(`the merge "${merge}" is not two texts with a space between`, "ERR_TOKENIZER");
    return [merge.slice(0, space), merge.slice(space + 1)];
  });
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };
  const patterns = splits.patterns.map((Regex) => ({
    type: "Split",
    pattern: { Regex },
    behavior: "Isolated",
    invert: false,
  }));
  return {
    normalizer: splits.normalization === undefined ? null : { type: splits.normalization },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [...patterns, { ...bytes, use_regex: false }],
    },
    decoder: { ...bytes, use_regex: true },
    model: bytePairModel(tokens, merges, { ignore_merges: splits.wholeWordsFirst ?? false }),
  };
}

async function sentencePiece(header: GgufHeader, tokens: string[], unknown: string | undefined) {
  const scores = header.get("numbers", "tokenizer.ggml.scores");
  if (scores.length !== tokens.length) {
    throw header.error(`it has ${tokens.length} tokens and ${scores.length} scores of them`, "ERR_TOKENIZER");
  }
  const prefixed = header.find("flag", "tokenizer.ggml.add_space_prefix") ?? true;
  const replaced = { type: "Replace", pattern: { String: " " }, content: SPACE };
  return {
    normalizer: {
      type: "Sequence",
      normalizers: [...(prefixed ? [{ type: "Prepend", prepend: SPACE }] : []), replaced],
    },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: SPACE }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(prefixed ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
    model: bytePairModel(tokens, await mergesOfPieces(tokens, scores), {
      unk_token: unknown ?? null,
      fuse_unk: true,
      byte_fallback: true,
    }),
  };
}

function bytePairModel(tokens: string[], merges: string[][], options: Record<string, unknown>) {
  return {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    ...options,
    // (Not by assignment: a token may be called __proto__.)
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges,
  };
}

/** Tokens that stand for themselves wherever their text stands. */
function addedTokens(header: GgufHeader, tokens: string[]) {
  const types = header.find("numbers", "tokenizer.ggml.token_type") ?? [];
  if (types.length > tokens.length) {
    throw header.error(`it has ${tokens.length} tokens and ${types.length} types of them`, "ERR_TOKENIZER");
  }
  return types.flatMap((type, id) => {
    const special = type === CONTROL || type === UNKNOWN;
    if ((!special && type !== USER_DEFINED) || tokens[id] === "") return [];
    const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    return [{ id, content: tokens[id]!, ...plain, special }];
  });
}

function specialTokens(header: GgufHeader, tokens: string[]) {
  const text = (name: string) => {
    const id = header.find("number", `tokenizer.ggml.${name}_token_id`);
    return id === undefined ? undefined : tokenOf(header, tokens, id, name);
  };
  return {
    bos_token: text("bos"),
    eos_token: text("eos"),
    unk_token: text("unknown"),
    pad_token: text("padding"),
  };
}

function tokenOf(header: GgufHeader, tokens: string[], id: number, name: string): string {
  const token = tokens[id];
  if (token !== undefined) return token;
  throw header.error(`the ${name} token is number ${id}; it has ${tokens.length} tokens`, "ERR_TOKENIZER");
}

/** What is put around a text: BOS in front and EOS behind, where the file asks for them. */
function framing(header: GgufHeader, tokens: string[], addsBosByDefault: boolean) {
  const added = (name: "bos" | "eos", byDefault: boolean): string[] => {
    if (!(header.find("flag", `tokenizer.ggml.add_${name}_token`) ?? byDefault)) return [];
    return [tokenOf(header, tokens, header.get("number", `tokenizer.ggml.${name}_token_id`), name)];
  };
  const [before, after] = [added("bos", addsBosByDefault), added("eos", false)];
  if (before.length + after.length === 0) return null;
  const piece = (token: string, type: number) => ({ SpecialToken: { id: token, type_id: type } });
  const framed = (sequence: "A" | "B", type: number) => [
    ...before.map((token) => piece(token, type)),
    { Sequence: { id: sequence, type_id: type } },
    ...after.map((token) => piece(token, type)),
  ];
  const definitions = [...before, ...after].map((token) => [
    token,
    { id: token, ids: [tokens.indexOf(token)], tokens: [token] },
  ]);
  return {
    type: "TemplateProcessing",
    single: framed("A", 0),
    pair: [...framed("A", 0), ...framed("B", 1)],
    special_tokens: Object.fromEntries(definitions),
  };
}
