import type { ModelConfig } from "./config.js";

/** How many numbers a forward pass reads of a checkpoint (native/model/weights.h); each is held as a float32. */
export function countWeights(config: ModelConfig): number {
  const { width: m, feedForwardWidth: d, layers, heads, keyValueHeads, headWidth, vocabulary, positions } = config;
  const gpt2 = config.family === "gpt2"; // biases, norms with a shift, learned positions
  const [queries, keys] = [heads * headWidth, keyValueHeads * headWidth];
  const maps = m * (2 * queries + 2 * keys) + (gpt2 ? 2 : 3) * m * d;
  const biases = gpt2 ? queries + 2 * keys + m + d + m : 0;
  const norm = gpt2 ? 2 * m : m;
  const embeddings = (vocabulary + (gpt2 ? positions : 0)) * m + (config.tiedHead ? 0 : vocabulary * m);
  return embeddings + layers * (maps + biases + 2 * norm) + norm;
}
