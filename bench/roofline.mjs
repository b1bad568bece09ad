// What an edit should take on GPUs, from the operations and bytes that the code asks for: calculated, nothing is timed.

import { fileURLToPath } from "node:url";
import { planRun } from "../dist/run/index.js";
import { paperModels, productsInWords } from "./paper-models.mjs";
import { percent, seconds } from "./table.mjs";

export const question =
  "What does an edit take on an A100 and an H100 on paper, from counted operations and bytes, beside what the paper reports?";

export const isCalculated = true;

const [edits, batch] = [10_000, 100];

const tera = (flops) => (flops / 1e12).toFixed(flops < 1e13 ? 2 : 0);

export const columns = [
  ["model", (row) => row.title],
  ["GPU", (row) => row.device.toUpperCase()],
  ["products", (row) => productsInWords[row.matmul]],
  ["values, TFLOP", (row) => tera(row.values.flops.products + row.values.flops.attention)],
  ["values, TB", (row) => (row.values.bytes / 1e12).toFixed(1)],
  ["values, s", (row) => seconds(row.values.seconds)],
  ["keys, s", (row) => seconds(row.keys.seconds)],
  ["updates, float64 TFLOP", (row) => tera(row.layers * row.updateOfLayer.flops.float64)],
  ["updates, s", (row) => seconds(row.layers * row.updateOfLayer.seconds)],
  ["copies, s", (row) => seconds(row.copies.seconds)],
  ["an edit, s", (row) => seconds(row.secondsPerEdit)],
  ["published, s", (row) => (row.device === "a100" && row.matmul === "f32" ? row.published.toFixed(2) : "")],
  ["bound by", (row) => `${row.batch.binds}, ${percent(row.batch.terms[row.batch.binds] / row.batch.seconds)}`],
  ["memory, GiB", (row) => (row.peakBytes / 2 ** 30).toFixed(1)],
];

export async function run() {
  const rows = [];
  for (const { title, config, published } of paperModels) {
    const model = fileURLToPath(new URL(`../test/configs/${config}`, import.meta.url));
    for (const device of ["a100", "h100"]) {
      for (const matmul of ["f32", "tf32", "bf16"]) {
        const { layers, onDevice } = await planRun({ model, edits, batch, device, matmul });
        const { weightStays, weightChanges } = onDevice;
        const peakBytes = Math.max(weightStays.memory.peak, weightChanges.memory.peak);
        rows.push({ title, published, device, matmul, layers: layers.length, ...weightChanges, peakBytes });
      }
    }
  }
  return rows;
}

export const notes = `
Calculated, not measured: what was measured stands beside it in the section on models of the paper's shapes, for an H100.
The operations and bytes are those of the code itself, which runs on a backend that computes nothing and keeps
account of what it is asked for (native/backend/rehearsal; tests hold its count against that of the CPU backend, equal
but for attention's own products, which the backends do not count and which are under 1 % of a batch here). Of every
kind of operation the time is the longest of what its arithmetic, its bytes and the start of its kernels take. Rates are
those of data sheets (src/run/planned-devices.ts), and how much of them is reached is assumed: products 80 %, less for
tiles that are not full; triangular systems and factors 40 %, attention 10 %, memory 80 %; 5 µs for a kernel, 20 µs for a
copy to or from the host (src/run/roofline.ts has the reasons). Where 80 % turn out to be 60 %, a time that arithmetic
binds is a third longer.

\`lyaplock plan --model DIR --edits 10000 --device a100 --matmul tf32\` prints the same by phase, for any model of which
there is a config.json. A column of seconds is for a batch of 100 facts, of *updates* the mean over 100 batches of all
edited layers, with a weight that changes in every batch. All values take all steps (20 for GPT2-XL, 25 for the others),
though on SmolLM2 the mean was 22.7 of 25. Prompts are as long as CounterFact's
(\`node bench/prompt-lengths.mjs smollm2-135m counterfact:counterfact-10k.json\`), copies are what the optimisation
reads back and the checkpoint of \`lyaplock run\`. Evaluation and second moments are not in it. *Memory* is the most there
is at any time over 10,000 edits, whatever the weight does; of 80 GiB, 78 are taken to be free: GPT-J needs a little more.

The published seconds are the paper's, per fact, on an A100 80 GB, with batches of 100; its code multiplies in float32
with TF32 off, so the rows of float32 are those to compare. What its time holds beside the edit is not said.

What limits: in float32 the arithmetic of the values, 94 to 99 % of a batch; the updates, which are what the method is
about, are under 1 % of it. Facts go through the optimisation in groups whose activations need a 32nd of the GPU's
memory (native/backend/activation_bytes.h), 2.5 GiB here: about six groups on GPT2-XL, ten on GPT-J and eight on
LLaMA-3-8B, so that in each step every weight is read so often, for some 270 rows each. With bfloat16 every product
rounds its weights first, which passes more bytes than the product itself, so that it is about as fast as TF32 on an
A100, and slower on an H100, for weights that are held in float32; where they are held in bfloat16 (\`--weights bf16\`),
which is not calculated here, that falls away.
`;
