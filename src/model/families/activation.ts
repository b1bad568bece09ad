import { LyaplockError } from "../../errors.js";
import type { ModelDescription } from "../../native/addon.js";

/** Names of transformers, and what they compute; the "tanh" ones are the same formula under several names. */
const ACTIVATIONS: Record<string, ModelDescription["activation"]> = {
  silu: "silu",
  swish: "silu",
  gelu: "gelu",
  gelu_new: "gelu_tanh",
  gelu_fast: "gelu_tanh",
  gelu_pytorch_tanh: "gelu_tanh",
};

/** @throws ERR_UNSUPPORTED naming the function and those that are known. */
export function readActivation(name: string): ModelDescription["activation"] {
  const activation = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (activation) return activation;
  const known = Object.keys(ACTIVATIONS).join(", ");
  throw new LyaplockError("ERR_UNSUPPORTED", `activation function "${name}" is not supported; supported are ${known}`);
}
