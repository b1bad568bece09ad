// Models of any shape with random weights, and facts as long as real ones: what editing them takes depends on sizes alone.

import { closeSync, openSync, writeSync } from "node:fs";
import { packTokens } from "../dist/model/index.js";
import { generator } from "./layer.mjs";

/** Numbers that weights are drawn from, one after the other, round and round; prime, so that no two rows of a matrix agree. */
const POOL = 16_777_213;
/** Deviation of weights, the one that transformers begin training with. */
const DEVIATION = 0.02;

/**
 * Writes a checkpoint in bfloat16 as transformers would for a configuration.
 *
 * @param config {import("../dist/index.js").LanguageModel["config"]} of GPT-2, GPT-J or LLaMA
 */
export function writeRandomCheckpoint(file, config) {
  const tensors = tensorsOf(config);
  const entries = {};
  let end = 0;
  for (const [name, shape] of Object.entries(tensors)) {
    const begin = end;
    end += 2 * elements(shape);
    entries[name] = { dtype: "BF16", shape, data_offsets: [begin, end] };
  }
  const header = Buffer.from(JSON.stringify(entries));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));

  const pool = randomPool();
  let next = 0;
  const open = openSync(file, "w");
  try {
    for (const part of [length, header]) writeWhole(open, part);
    for (const [name, shape] of Object.entries(tensors)) {
      if (shape.length === 1) {
        writeWhole(open, Buffer.from(new Uint16Array(shape[0]).fill(name.endsWith("bias") ? 0 : 0x3f80).buffer));
        continue;
      }
      for (let left = elements(shape); left > 0; ) {
        const count = Math.min(left, POOL - next);
        writeWhole(open, pool.subarray(2 * next, 2 * (next + count)));
        left -= count;
        next = (next + count) % POOL;
      }
    }
  } finally {
    closeSync(open);
  }
}

/** So many texts of random tokens in one batch. */
export function randomTexts({ vocabulary }, texts, tokens, seed) {
  const random = generator(seed);
  const text = () => Array.from({ length: tokens }, () => Math.floor(((random() + 1) / 2) * vocabulary));
  return packTokens(Array.from({ length: texts }, text));
}

/** Every word is a token, the one whose id it is. */
export const wordTokenizer = {
  encode: (text) => text.trim().split(/\s+/).map(Number),
  encodeTarget: (text) => text.trim().split(/\s+/).map(Number),
  decode: (tokens) => tokens.map((token) => ` ${token}`).join(""),
};

/**
 * Facts of words of that tokenizer whose prompts are as long as `lengths` says, on average, and context templates.
 *
 * @param lengths {import("../dist/edit/plan-prompts.js").PromptLengths}
 */
export function randomFacts({ vocabulary }, count, lengths) {
  const random = generator(11);
  const words = (number) =>
    Array.from({ length: number }, () => Math.floor(((random() + 1) / 2) * vocabulary)).join(" ");
  const about = (mean, index) => Math.floor((index + 1) * mean) - Math.floor(index * mean);
  const facts = Array.from({ length: count }, (_, caseId) => {
    const subject = Math.max(1, about(lengths.subject, caseId));
    const before = Math.max(0, about(lengths.before, caseId) - (subject - 1));
    return {
      caseId,
      prompt: `${words(before)} {} ${words(Math.max(1, about(lengths.after, caseId)))}`.trim(),
      subject: words(subject),
      targetNew: words(Math.max(1, about(lengths.target, caseId))),
      targetTrue: words(1),
    };
  });
  const sampled = Array.from({ length: 5 }, (_, index) => `${words(about(lengths.context, index))} {}`);
  return { facts, contextTemplates: [["{}"], sampled] };
}

function tensorsOf(config) {
  const { family, layers, width: m, feedForwardWidth: d, heads, keyValueHeads, headWidth, vocabulary } = config;
  const [queries, keys] = [heads * headWidth, keyValueHeads * headWidth];
  const linear = (name, shape, bias) => ({
    [`${name}.weight`]: shape,
    ...(bias ? { [`${name}.bias`]: [family === "gpt2" ? shape[1] : shape[0]] } : {}),
  });
  const norm = (name) => ({ [`${name}.weight`]: [m], ...(family === "llama" ? {} : { [`${name}.bias`]: [m] }) });
  const families = {
    gpt2: {
      around: {
        "transformer.wte.weight": [vocabulary, m],
        "transformer.wpe.weight": [config.positions, m],
        ...norm("transformer.ln_f"),
      },
      block: (layer) => ({
        ...norm(`transformer.h.${layer}.ln_1`),
        ...linear(`transformer.h.${layer}.attn.c_attn`, [m, 3 * m], true),
        ...linear(`transformer.h.${layer}.attn.c_proj`, [m, m], true),
        ...norm(`transformer.h.${layer}.ln_2`),
        ...linear(`transformer.h.${layer}.mlp.c_fc`, [m, d], true),
        ...linear(`transformer.h.${layer}.mlp.c_proj`, [d, m], true),
      }),
    },
    gptj: {
      around: {
        "transformer.wte.weight": [vocabulary, m],
        ...norm("transformer.ln_f"),
        ...linear("lm_head", [vocabulary, m], true),
      },
      block: (layer) => ({
        ...norm(`transformer.h.${layer}.ln_1`),
        ...linear(`transformer.h.${layer}.attn.q_proj`, [m, m]),
        ...linear(`transformer.h.${layer}.attn.k_proj`, [m, m]),
        ...linear(`transformer.h.${layer}.attn.v_proj`, [m, m]),
        ...linear(`transformer.h.${layer}.attn.out_proj`, [m, m]),
        ...linear(`transformer.h.${layer}.mlp.fc_in`, [d, m], true),
        ...linear(`transformer.h.${layer}.mlp.fc_out`, [m, d], true),
      }),
    },
    llama: {
      around: {
        "model.embed_tokens.weight": [vocabulary, m],
        ...norm("model.norm"),
        "lm_head.weight": [vocabulary, m],
      },
      block: (layer) => ({
        ...norm(`model.layers.${layer}.input_layernorm`),
        ...linear(`model.layers.${layer}.self_attn.q_proj`, [queries, m]),
        ...linear(`model.layers.${layer}.self_attn.k_proj`, [keys, m]),
        ...linear(`model.layers.${layer}.self_attn.v_proj`, [keys, m]),
        ...linear(`model.layers.${layer}.self_attn.o_proj`, [m, queries]),
        ...norm(`model.layers.${layer}.post_attention_layernorm`),
        ...linear(`model.layers.${layer}.mlp.gate_proj`, [d, m]),
        ...linear(`model.layers.${layer}.mlp.up_proj`, [d, m]),
        ...linear(`model.layers.${layer}.mlp.down_proj`, [m, d]),
      }),
    },
  };
  const { around, block } = families[family];
  return Object.assign({}, around, ...Array.from({ length: layers }, (_, layer) => block(layer)));
}

const elements = (shape) => shape.reduce((product, size) => product * size, 1);

/** bfloat16: the upper halves of float32. */
function randomPool() {
  const random = generator(13);
  const values = Float32Array.from({ length: POOL }, () => Math.sqrt(3) * DEVIATION * random());
  const words = new Uint32Array(values.buffer);
  return Buffer.from(Uint16Array.from(words, (word) => word >>> 16).buffer);
}

function writeWhole(file, bytes) {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}
