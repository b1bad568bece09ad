import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { type Family, officialJson, officialPath } from "./official.js";
import { readSafetensors, type Tensor } from "./safetensors.js";

/** A value of the metadata, under the type it is written as. */
export type MetaValue =
  | string
  | boolean
  | { u32: number }
  | { f32: number }
  | { texts: readonly string[] }
  | { i32s: readonly number[] }
  | { f32s: readonly number[] };
export type Metadata = Record<string, MetaValue>;

/** How the numbers of a matrix are written; vectors are F32 always. */
export type Storage = "F32" | "Q8_0";

/** A GGUF file (version 3), written without any of our own code. Shapes have the contiguous dimension last. */
export function ggufBytes(metadata: Metadata, tensors: Record<string, Tensor>, storage: Storage = "F32"): Buffer {
  const entries = Object.entries(metadata).map(([key, value]) => Buffer.concat([text(key), valueBytes(value)]));
  const infos: Buffer[] = [];
  const data: Buffer[] = [];
  let offset = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const quantised = storage === "Q8_0" && tensor.shape.length === 2;
    const content = quantised ? q8Bytes(tensor.values) : Buffer.from(Float32Array.from(tensor.values).buffer);
    const dimensions = [...tensor.shape].reverse().map((size) => u64(size));
    infos.push(text(name), u32(tensor.shape.length), ...dimensions, u32(quantised ? 8 : 0), u64(offset));
    data.push(content, padding(content.length));
    offset += content.length + padding(content.length).length;
  }
  const counts = [u32(3), u64(Object.keys(tensors).length), u64(entries.length)];
  const header = Buffer.concat([Buffer.from("GGUF"), ...counts, ...entries, ...infos]);
  return Buffer.concat([header, padding(header.length), ...data]);
}

/** What `ggufBytes` writes as Q8_0, read again: blocks of 32 numbers, a float16 scale and a signed byte for each. */
export function throughQ8(values: Float64Array): Float64Array {
  const bytes = q8Bytes(values);
  return values.map((_, i) => {
    const block = Math.floor(i / 32) * 34;
    return powerOfTwo(bytes.readUInt16LE(block)) * bytes.readInt8(block + 2 + (i % 32));
  });
}

/** Scales are powers of two, so that their float16 is plain to write: this is about reading, not about quantising well. */
function q8Bytes(values: Float64Array): Buffer {
  const bytes = Buffer.alloc((values.length / 32) * 34);
  for (let block = 0; block < values.length / 32; block++) {
    const own = values.subarray(32 * block, 32 * (block + 1));
    const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 2 ** -20);
    const exponent = Math.max(-14, Math.ceil(Math.log2(largest / 127)));
    bytes.writeUInt16LE((exponent + 15) << 10, 34 * block);
    own.forEach((value, i) => {
      bytes.writeInt8(Math.round(value / 2 ** exponent), 34 * block + 2 + i);
    });
  }
  return bytes;
}

const powerOfTwo = (float16: number) => 2 ** ((float16 >> 10) - 15);

const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const f32 = (value: number) => Buffer.from(Float32Array.of(value).buffer);
const i32 = (value: number) => Buffer.from(Int32Array.of(value).buffer);
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const padding = (length: number) => Buffer.alloc((32 - (length % 32)) % 32);

function valueBytes(value: MetaValue): Buffer {
  if (typeof value === "string") return Buffer.concat([u32(8), text(value)]);
  if (typeof value === "boolean") return Buffer.concat([u32(7), Buffer.of(Number(value))]);
  if ("u32" in value) return Buffer.concat([u32(4), u32(value.u32)]);
  if ("f32" in value) return Buffer.concat([u32(6), f32(value.f32)]);
  if ("texts" in value) return Buffer.concat([u32(9), u32(8), u64(value.texts.length), ...value.texts.map(text)]);
  if ("i32s" in value) return Buffer.concat([u32(9), u32(5), u64(value.i32s.length), ...value.i32s.map(i32)]);
  return Buffer.concat([u32(9), u32(6), u64(value.f32s.length), ...value.f32s.map(f32)]);
}

export interface TinyGgufOptions {
  storage?: Storage;
  /** Metadata and tensors that are added or put in the place of others. */
  change?: Metadata;
  tensors?: Record<string, Tensor>;
}

/** A tiny model of the fixtures as llama.cpp's converter would write it. */
export async function writeTinyGguf(
  family: Family,
  directory: string,
  { storage = "F32", change = {}, tensors: more = {} }: TinyGgufOptions = {},
): Promise<string> {
  const { tensors } = readSafetensors(officialPath(family, "model/model.safetensors"));
  const file = path.join(directory, `${family}.gguf`);
  const own = family === "tiny-llama" ? llama(tensors) : gpt2(tensors);
  const metadata = { ...own.metadata, ...tokenizerMetadata(family), ...change };
  await writeFile(file, ggufBytes(metadata, { ...own.tensors, ...more }, storage));
  return file;
}

type Config = Record<string, number>;

function llama(tensors: Record<string, Tensor>): { metadata: Metadata; tensors: Record<string, Tensor> } {
  const config = officialJson<Config>("tiny-llama", "model/config.json");
  const metadata: Metadata = {
    "general.architecture": "llama",
    "llama.block_count": { u32: config.num_hidden_layers! },
    "llama.context_length": { u32: config.max_position_embeddings! },
    "llama.embedding_length": { u32: config.hidden_size! },
    "llama.feed_forward_length": { u32: config.intermediate_size! },
    "llama.attention.head_count": { u32: config.num_attention_heads! },
    "llama.attention.head_count_kv": { u32: config.num_key_value_heads! },
    "llama.attention.layer_norm_rms_epsilon": { f32: config.rms_norm_eps! },
    "llama.rope.dimension_count": { u32: config.head_dim! },
    "llama.rope.freq_base": { f32: config.rope_theta! },
  };
  const renamed = rename(tensors, LLAMA_NAMES);
  for (const [name, tensor] of Object.entries(renamed)) {
    if (name.endsWith("attn_q.weight")) renamed[name] = interleaved(tensor, config.num_attention_heads!);
    if (name.endsWith("attn_k.weight")) renamed[name] = interleaved(tensor, config.num_key_value_heads!);
  }
  return { metadata, tensors: renamed };
}

function gpt2(tensors: Record<string, Tensor>): { metadata: Metadata; tensors: Record<string, Tensor> } {
  const config = officialJson<Config>("tiny-gpt2", "model/config.json");
  const metadata: Metadata = {
    "general.architecture": "gpt2",
    "gpt2.block_count": { u32: config.n_layer! },
    "gpt2.context_length": { u32: config.n_positions! },
    "gpt2.embedding_length": { u32: config.n_embd! },
    "gpt2.feed_forward_length": { u32: config.n_inner ?? 4 * config.n_embd! },
    "gpt2.attention.head_count": { u32: config.n_head! },
    "gpt2.attention.layer_norm_epsilon": { f32: config.layer_norm_epsilon! },
  };
  const renamed = rename(tensors, GPT2_NAMES);
  for (const [name, tensor] of Object.entries(renamed)) {
    if (/^blk\.\d+\.(attn_qkv|attn_output|ffn_up|ffn_down)\.weight$/.test(name)) renamed[name] = transposed(tensor);
  }
  return { metadata, tensors: renamed };
}

const LLAMA_NAMES: [RegExp, string][] = [
  [/^model\.embed_tokens/, "token_embd"],
  [/^model\.norm/, "output_norm"],
  [/^lm_head/, "output"],
  [/^model\.layers\./, "blk."],
  [/input_layernorm/, "attn_norm"],
  [/post_attention_layernorm/, "ffn_norm"],
  [/self_attn\.o_proj/, "attn_output"],
  [/self_attn\.(.)_proj/, "attn_$1"],
  [/mlp\.(\w+)_proj/, "ffn_$1"],
];

const GPT2_NAMES: [RegExp, string][] = [
  [/^transformer\./, ""],
  [/^wte/, "token_embd"],
  [/^wpe/, "position_embd"],
  [/^ln_f/, "output_norm"],
  [/^h\./, "blk."],
  [/ln_1/, "attn_norm"],
  [/ln_2/, "ffn_norm"],
  [/attn\.c_attn/, "attn_qkv"],
  [/attn\.c_proj/, "attn_output"],
  [/mlp\.c_fc/, "ffn_up"],
  [/mlp\.c_proj/, "ffn_down"],
];

function rename(tensors: Record<string, Tensor>, names: [RegExp, string][]): Record<string, Tensor> {
  const renamed = Object.entries(tensors).map(([name, tensor]) => [
    names.reduce((text, [from, to]) => text.replace(from, to), name),
    tensor,
  ]);
  return Object.fromEntries(renamed) as Record<string, Tensor>;
}

/** The rows of each head as llama.cpp has them: one of the first half, one of the second. */
function interleaved({ shape, values }: Tensor, heads: number): Tensor {
  const [rows, cols] = shape as [number, number];
  const width = rows / heads;
  const out = new Float64Array(values.length);
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < width / 2; i++) {
      for (const half of [0, 1]) {
        const from = head * width + half * (width / 2) + i;
        out.set(values.subarray(from * cols, (from + 1) * cols), (head * width + 2 * i + half) * cols);
      }
    }
  }
  return { shape, values: out };
}

function transposed({ shape, values }: Tensor): Tensor {
  const [rows, cols] = shape as [number, number];
  return { shape: [cols, rows], values: values.map((_, i) => values[(i % rows) * cols + Math.floor(i / rows)]!) };
}

function tokenizerMetadata(family: Family): Metadata {
  const { model, added_tokens } = JSON.parse(readFileSync(officialPath(family, "model/tokenizer.json"), "utf8")) as {
    model: { vocab: Record<string, number>; merges: [string, string][] };
    added_tokens: { id: number; content: string }[];
  };
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(model.vocab)) tokens[id] = token;
  for (const { id, content } of added_tokens) tokens[id] = content;
  const added = new Set(added_tokens.map(({ id }) => id));
  const idOf = (content: string) => ({ u32: tokens.indexOf(content) });
  return {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.tokens": { texts: tokens },
    "tokenizer.ggml.token_type": { i32s: tokens.map((_, id) => (added.has(id) ? 3 : 1)) },
    "tokenizer.ggml.merges": { texts: model.merges.map((merge) => merge.join(" ")) },
    "tokenizer.ggml.bos_token_id": idOf(family === "tiny-llama" ? "<|begin_of_text|>" : "<|endoftext|>"),
    "tokenizer.ggml.eos_token_id": idOf("<|endoftext|>"),
    "tokenizer.ggml.add_bos_token": family === "tiny-llama",
  };
}
