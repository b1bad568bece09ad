import type { GgufHeader } from "./header.js";

/** How a byte-level tokenizer cuts a text before it merges. */
export interface Splits {
  /** Regular expressions (of Oniguruma), one after the other: what each matches stands alone. */
  patterns: string[];
  normalization?: "NFC";
  /** A piece that is a token needs no merges. */
  wholeWordsFirst?: true;
  /** Where the file does not say. */
  addsBos?: true;
}

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const SPACES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const afterDigits = (digits: string) =>
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`;
// "ByteLevel" has this one built in; written out, it takes for a space what Oniguruma does, U+0085 among them.
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const gpt2: Splits = { patterns: [GPT2] };
const smollm: Splits = { patterns: ["\\p{N}", GPT2] };
const llama3: Splits = { patterns: [afterDigits("\\p{N}{1,3}")], wholeWordsFirst: true, addsBos: true };
const qwen2: Splits = { patterns: [afterDigits("\\p{N}")], normalization: "NFC" };
/** What llama.cpp does where a file does not say. */
const byDefault: Splits = { patterns: ["[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"] };

/** By "tokenizer.ggml.pre", as in llama.cpp (src/llama-vocab.cpp). */
const SPLITS: Record<string, Splits> = {
  default: byDefault,
  "gpt-2": gpt2,
  smollm,
  "llama-bpe": llama3,
  llama3,
  "llama-v3": llama3,
  qwen2,
  "deepseek-r1-qwen": qwen2,
};

/** @throws ERR_TOKENIZER for a way that is not known */
export function byteLevelSplits(header: GgufHeader): Splits {
  // Files from before there was this key are of GPT-2, or were not split as their models were trained.
  const without = header.get("text", "general.architecture") === "gpt2" ? "gpt-2" : "default";
  const name = header.find("text", "tokenizer.ggml.pre") ?? without;
  const splits = Object.hasOwn(SPLITS, name) ? SPLITS[name] : undefined;
  if (splits !== undefined) return splits;
  const known = Object.keys(SPLITS).join(", ");
  throw header.error(`its tokenizer splits texts as "${name}"; known are ${known}`, "ERR_TOKENIZER");
}
