import type { ModelConfig } from "./config.js";

/** How many numbers a forward pass reads of a checkpoint (native/model/weights.h); each is held as a float32. */
export function countWeights(config: ModelConfig): number {
  const { width: m, feedForwardWidth: d, layers, heads, keyValueHeads, headWidth, vocabulary, positions } = config;
  const gated = config.activation === "silu";
  const shiftedNorms = !gated; // LayerNorm
  const learnedPositions = config.rotary.width === 0;
  const [queries, keys] = [heads * headWidth, keyValueHeads * headWidth];
  const maps = m * (2 * queries + 2 * keys) + (gated ? 3 : 2) * m * d;
  const biases =
    (config.attentionBias ? queries + 2 * keys : 0) +
    (config.attentionOutputBias ? m : 0) +
    (config.feedForwardBias ? (gated ? 2 : 1) * d + m : 0);
  const norm = shiftedNorms ? 2 * m : m;
  const norms = (config.family === "gptj" ? 1 : 2) * norm + (config.headNorms ? 2 * headWidth : 0);
  const embeddings = (vocabulary + (learnedPositions ? positions : 0)) * m;
  const head = (config.tiedHead ? 0 : vocabulary * m) + (config.headBias ? vocabulary : 0);
  return embeddings + head + layers * (maps + biases + norms) + norm;
}
