// Writes what a model computes for some prompts as safetensors, for compare.py beside this file:
//
//   node test/parity/states.mjs MODEL OUT PROMPT…
//
// Of prompt p, from 0: "p.tokens" [1, n], "p.logits" [n, vocabulary], and of every layer l at the last token
// "p.l.key" [1, d], the input of the down-projection, and "p.l.output" [1, m], that of the block.

import { loadModel } from "../../dist/model/load.js";
import { packTokens } from "../../dist/model/token-batch.js";
import { addon, call } from "../../dist/native/index.js";

const [source, out, ...prompts] = process.argv.slice(2);
const model = await loadModel(source);
const tensors = {};
for (const [p, prompt] of prompts.entries()) {
  const tokens = model.encodePrompt(prompt);
  const batch = packTokens([tokens]);
  tensors[`${p}.tokens`] = addon().createMatrix(Float64Array.from(tokens), 1, tokens.length);
  tensors[`${p}.logits`] = await call(() => model.native.logits(batch, Int32Array.from(tokens.keys())));
  const one = { facts: Int32Array.of(0), shares: Float32Array.of(1), bare: Int32Array.of(0) };
  const pass = await call(() => model.native.beginKeys({ batch, ...one }));
  for (let layer = 0; layer < model.config.layers; layer++) {
    tensors[`${p}.${layer}.key`] = await call(() => pass.keys(layer));
    tensors[`${p}.${layer}.output`] = await call(() => pass.outputs(layer));
  }
}
await call(() => addon().writeTensors(out, tensors, {}));
