import * as tf from "@tensorflow/tfjs";
import type { ModelConfig } from "../../src/model/config.js";
import type { Tensor } from "./tensors.js";

/**
 * Logits [tokens, vocabulary] of a LLaMA in TensorFlow.js, one text and no tricks: a second runtime, whose gradients
 * TensorFlow.js derives by itself.
 *
 * @param change of the output x [tokens, m] of each block.
 */
export function logitsInTensorflow(
  config: ModelConfig,
  weights: ReadonlyMap<string, Tensor>,
  tokens: readonly number[],
  change: (layer: number, x: tf.Tensor2D) => tf.Tensor2D,
): tf.Tensor2D {
  const { heads, keyValueHeads, headWidth, normEpsilon } = config;
  const tensor = (name: string): tf.Tensor2D => {
    const { rows, cols, values } = weights.get(name)!;
    return tf.tensor2d(Float32Array.from(values), [rows, cols]);
  };
  const norm = (x: tf.Tensor2D, name: string) =>
    x.mul(x.square().mean(1, true).add(normEpsilon).rsqrt()).mul(tensor(`${name}.weight`)) as tf.Tensor2D;
  const linear = (x: tf.Tensor, name: string) =>
    tf.matMul(x as tf.Tensor2D, tensor(`${name}.weight`), false, true) as tf.Tensor2D;
  const turn = rotation(config, tokens.length);
  const mask = tf.linalg
    .bandPart(tf.ones([tokens.length, tokens.length]), -1, 0)
    .sub(1)
    .mul(1e9);

  const attention = (x: tf.Tensor2D, block: string): tf.Tensor2D => {
    const [query, key, value] = ["q", "k", "v"].map((name) => linear(x, `${block}.self_attn.${name}_proj`));
    const outputs = Array.from({ length: heads }, (_, head) => {
      const shared = Math.floor((head * keyValueHeads) / heads);
      const of = (all: tf.Tensor2D, index: number) => all.slice([0, index * headWidth], [tokens.length, headWidth]);
      const scores = tf.matMul(turn(of(query!, head)), turn(of(key!, shared)), false, true);
      return tf.matMul(tf.softmax(scores.div(Math.sqrt(headWidth)).add(mask)), of(value!, shared));
    });
    return linear(tf.concat(outputs, 1) as tf.Tensor2D, `${block}.self_attn.o_proj`);
  };
  const feedForward = (x: tf.Tensor2D, block: string): tf.Tensor2D => {
    const gate = linear(x, `${block}.mlp.gate_proj`);
    return linear(gate.mul(gate.sigmoid()).mul(linear(x, `${block}.mlp.up_proj`)), `${block}.mlp.down_proj`);
  };

  let x = tf.gather(tensor("model.embed_tokens.weight"), tf.tensor1d([...tokens], "int32"));
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `model.layers.${layer}`;
    x = x.add(attention(norm(x, `${block}.input_layernorm`), block));
    x = x.add(feedForward(norm(x, `${block}.post_attention_layernorm`), block));
    x = change(layer, x);
  }
  return linear(norm(x, "model.norm"), config.tiedHead ? "model.embed_tokens" : "lm_head");
}

/** Turns the halves of a head [tokens, headWidth] against each other. */
function rotation({ headWidth, rotary }: ModelConfig, tokens: number): (head: tf.Tensor2D) => tf.Tensor2D {
  const half = headWidth / 2;
  const frequencies = Array.from({ length: half }, (_, i) => rotary.base ** ((-2 * i) / headWidth));
  const angles = tf.outerProduct(tf.range(0, tokens), tf.tensor1d(frequencies));
  const [cosine, sine] = [tf.cos(angles), tf.sin(angles)];
  return (head) => {
    const [a, b] = tf.split(head, 2, 1) as [tf.Tensor2D, tf.Tensor2D];
    return tf.concat([a.mul(cosine).sub(b.mul(sine)), b.mul(cosine).add(a.mul(sine))], 1) as tf.Tensor2D;
  };
}
