import type { ModelConfig } from "../../src/model/config.js";
import type { Tensor } from "./tensors.js";

type Rows = Float64Array[];
type Weights = ReadonlyMap<string, Tensor>;

/** Called with what was computed, a row for each token, to look at it or to change it. */
export interface Hooks {
  /** Token embeddings, without positions. */
  embedded?(rows: Rows): void;
  /** What each part adds to the residual stream. */
  attention?(layer: number, rows: Rows): void;
  mlp?(layer: number, rows: Rows): void;
  /** The residual stream after the block. */
  state?(layer: number, rows: Rows): void;
}

/**
 * The distribution after the last of some tokens, [vocabulary], of a GPT-2, GPT-J or LLaMA: one text, one number after the
 * other in float64, all of it every time. A witness that shares no code with the runtime.
 */
export function plainDistribution(
  config: ModelConfig,
  weights: Weights,
  tokens: readonly number[],
  hooks: Hooks,
): number[] {
  const model = new Plain(config, weights);
  const x = tokens.map((token) => model.row(model.names.embedding, token));
  hooks.embedded?.(x);
  if (config.family === "gpt2") {
    for (const [position, row] of x.entries()) add(row, model.row("transformer.wpe.weight", position));
  }
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `${model.names.blocks}.${layer}`;
    const normed = x.map((row) => model.norm(row, `${block}.${model.names.attentionNorm}`));
    const attention = model.attention(normed, block);
    hooks.attention?.(layer, attention);
    if (config.family !== "gptj") addRows(x, attention);
    const mlp = x.map((row) => model.mlp(model.norm(row, `${block}.${model.names.mlpNorm}`), block));
    hooks.mlp?.(layer, mlp);
    if (config.family === "gptj") addRows(x, attention);
    addRows(x, mlp);
    hooks.state?.(layer, x);
  }
  return softmax(model.linear(model.norm(x.at(-1)!, model.names.finalNorm), model.names.head));
}

class Plain {
  readonly names;

  constructor(
    private readonly config: ModelConfig,
    private readonly weights: Weights,
  ) {
    const llama = config.family === "llama";
    const embedding = llama ? "model.embed_tokens.weight" : "transformer.wte.weight";
    this.names = {
      embedding,
      blocks: llama ? "model.layers" : "transformer.h",
      attentionNorm: llama ? "input_layernorm" : "ln_1",
      mlpNorm: llama ? "post_attention_layernorm" : config.family === "gptj" ? "ln_1" : "ln_2",
      finalNorm: llama ? "model.norm" : "transformer.ln_f",
      head: config.tiedHead ? embedding.replace(/\.weight$/, "") : "lm_head",
    };
  }

  row(name: string, index: number): Float64Array {
    const { cols, values } = this.weights.get(name)!;
    return values.slice(index * cols, (index + 1) * cols);
  }

  norm(x: Float64Array, name: string): Float64Array {
    const scale = this.weights.get(`${name}.weight`)!.values;
    const shift = this.weights.get(`${name}.bias`)?.values;
    const mean = this.config.family === "llama" ? 0 : sum(x) / x.length;
    const variance = x.reduce((total, value) => total + (value - mean) ** 2, 0) / x.length;
    const by = 1 / Math.sqrt(variance + this.config.normEpsilon);
    return x.map((value, j) => (value - mean) * by * scale[j]! + (shift?.[j] ?? 0));
  }

  /** GPT-2's blocks hold their matrices as [in, out]. */
  linear(x: Float64Array, name: string): Float64Array {
    const { rows, cols, values } = this.weights.get(`${name}.weight`)!;
    const bias = this.weights.get(`${name}.bias`)?.values;
    const turned = name.includes(".c_");
    const out = new Float64Array(turned ? cols : rows);
    for (let i = 0; i < out.length; i++) {
      let total = bias?.[i] ?? 0;
      for (let j = 0; j < x.length; j++) total += x[j]! * values[turned ? j * cols + i : i * cols + j]!;
      out[i] = total;
    }
    return out;
  }

  attention(normed: Rows, block: string): Rows {
    const { family, heads, keyValueHeads, headWidth } = this.config;
    const [queries, keys, values] = this.projections(normed, block);
    const turnedKeys = keys!.map((row, j) =>
      Array.from({ length: keyValueHeads }, (_, head) => this.turned(this.head(row, head), j)),
    );
    return normed.map((_, i) => {
      const mixed = new Float64Array(heads * headWidth);
      for (let head = 0; head < heads; head++) {
        const shared = Math.floor((head * keyValueHeads) / heads);
        const query = this.turned(this.head(queries![i]!, head), i);
        const scores = turnedKeys.slice(0, i + 1).map((key) => dot(query, key[shared]!) / Math.sqrt(headWidth));
        for (const [j, share] of softmax(scores).entries()) {
          this.head(values![j]!, shared).forEach((value, k) => {
            mixed[head * headWidth + k]! += share * value;
          });
        }
      }
      const output = { gpt2: "attn.c_proj", gptj: "attn.out_proj" }[family] ?? "self_attn.o_proj";
      return this.linear(mixed, `${block}.${output}`);
    });
  }

  mlp(x: Float64Array, block: string): Float64Array {
    if (this.config.family === "llama") {
      const gate = this.linear(x, `${block}.mlp.gate_proj`);
      const up = this.linear(x, `${block}.mlp.up_proj`);
      return this.linear(
        gate.map((value, j) => (value / (1 + Math.exp(-value))) * up[j]!),
        `${block}.mlp.down_proj`,
      );
    }
    const [into, out] = this.config.family === "gpt2" ? ["c_fc", "c_proj"] : ["fc_in", "fc_out"];
    return this.linear(this.linear(x, `${block}.mlp.${into}`).map(gelu), `${block}.mlp.${out}`);
  }

  private projections(normed: Rows, block: string): Rows[] {
    if (this.config.family === "gpt2") {
      const m = this.config.width;
      const all = normed.map((row) => this.linear(row, `${block}.attn.c_attn`));
      return [0, 1, 2].map((part) => all.map((row) => row.slice(part * m, (part + 1) * m)));
    }
    const attention = this.config.family === "gptj" ? "attn" : "self_attn";
    return ["q", "k", "v"].map((name) => normed.map((row) => this.linear(row, `${block}.${attention}.${name}_proj`)));
  }

  private head(row: Float64Array, head: number): Float64Array {
    return row.slice(head * this.config.headWidth, (head + 1) * this.config.headWidth);
  }

  /** Rotated for its position. */
  private turned(head: Float64Array, position: number): Float64Array {
    const { family, rotary } = this.config;
    if (family === "gpt2") return head;
    const out = head.slice();
    const half = rotary.width / 2;
    for (let i = 0; i < half; i++) {
      const angle = position * rotary.base ** (-i / half);
      const [a, b] = family === "gptj" ? [2 * i, 2 * i + 1] : [i, i + half];
      out[a] = head[a]! * Math.cos(angle) - head[b]! * Math.sin(angle);
      out[b] = head[b]! * Math.cos(angle) + head[a]! * Math.sin(angle);
    }
    return out;
  }
}

function addRows(rows: Rows, more: Rows): void {
  for (const [i, row] of rows.entries()) add(row, more[i]!);
}

function add(row: Float64Array, more: Float64Array): void {
  for (let j = 0; j < row.length; j++) row[j]! += more[j]!;
}

function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((total, value, j) => total + value * b[j]!, 0);
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

function softmax(scores: ArrayLike<number>): number[] {
  const most = Math.max(...Array.from(scores));
  const shares = Array.from(scores, (score) => Math.exp(score - most));
  const total = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => share / total);
}
