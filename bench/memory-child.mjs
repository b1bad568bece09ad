// Edits a layer in sequence and prints what that took, in bytes, as JSON: see memory.mjs.

import { readFileSync, writeFileSync } from "node:fs";
import { LayerEditor } from "../dist/engine.js";
import { addon } from "../dist/native/index.js";
import { covarianceWeightOf, createLayer, dispose, generator, toNative } from "./layer.mjs";

const { shape, facts, batch } = JSON.parse(process.argv[2]);
const { d, m } = shape;

// One batch of keys and residuals, overwritten by the next, so that the collector's pace is not in the peak.
addon();
const random = generator(3);
const input = { keys: new Float64Array(batch * d), residuals: new Float64Array(batch * m) };
const draw = () => {
  for (const values of Object.values(input)) for (let i = 0; i < values.length; i++) values[i] = random();
};
draw();
const before = statusOf("VmRSS");

const layer = await createLayer(shape);
layer.covariance.dispose();
const editor = await LayerEditor.create(layer.keySpace, { valueWidth: m });
globalThis.gc(); // what the layer was made from is not its own
writeFileSync("/proc/self/clear_refs", "5"); // VmHWM begins anew
const begun = performance.now();
let weight = covarianceWeightOf(shape);
let editorAtMost = 0;
for (let index = 0; editor.facts < facts; index++) {
  if (index % 10 === 9) weight *= 1.01;
  draw();
  const native = await toNative(input, shape);
  await editor.update({ ...native, weight });
  dispose(native);
  (await editor.drift()).dispose();
  editorAtMost = Math.max(editorAtMost, editor.bytes);
}
console.log(
  JSON.stringify({
    facts: editor.facts,
    keySpace: layer.keySpace.bytes,
    editorAtMost,
    editorAtEnd: editor.bytes,
    ledger: editor.facts * (d + 2 * m) * Float64Array.BYTES_PER_ELEMENT,
    weights: m * d * Float64Array.BYTES_PER_ELEMENT,
    peak: statusOf("VmHWM") - before,
    seconds: (performance.now() - begun) / 1000,
  }),
);

/** Bytes that /proc/self/status gives under a name. */
function statusOf(name) {
  const line = readFileSync("/proc/self/status", "utf8").match(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m"));
  return 1024 * Number(line[1]);
}
