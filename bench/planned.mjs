// Whole models of the paper's shapes, for a GPU that holds them; --scale S makes them narrow enough for anything else.

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { defaultHyperparameters } from "../dist/index.js";
import { readModelConfig } from "../dist/model/index.js";
import { addon } from "../dist/native/index.js";
import { planOnDevice } from "../dist/run/device-plan.js";
import { scaledDown } from "./layer.mjs";
import { paperModels, productsInWords } from "./paper-models.mjs";
import { writeRandomCheckpoint } from "./random-model.mjs";
import { seconds, times } from "./table.mjs";

export const question =
  "What does a batch of 100 facts take on models of the paper's shapes, beside what `lyaplock plan` calculates for the GPU?";

const planned = (value) => (value === undefined ? "" : seconds(value));

export const columns = [
  ["model", (row) => row.title],
  ["on", (row) => row.backend.replace(/^cuda \((.*?),.*$/, "$1")],
  ["products", (row) => productsInWords[row.matmul]],
  ["values, s", (row) => seconds(row.values)],
  ["values planned, s", (row) => planned(row.plan?.values.seconds)],
  ["keys, s", (row) => seconds(row.keys)],
  ["keys planned, s", (row) => planned(row.plan?.keys.seconds)],
  ["updates, s", (row) => seconds(row.updates)],
  ["updates planned, s", (row) => planned(row.plan && row.layers * row.plan.updateOfLayer.seconds)],
  ["an edit, s", (row) => seconds(row.batch / row.facts)],
  ["an edit planned, s", (row) => planned(row.plan?.secondsPerEdit)],
  ["published on an A100, s", (row) => row.published.toFixed(2)],
  ["that / ours", (row) => times(row.scale === 1 ? (row.published * row.facts) / row.batch : undefined)],
  ["second moments, tokens/s", (row) => (row.tokens / row.moments).toFixed(0)],
  ["loading, s", (row) => seconds(row.load)],
];

export const notes = `
Weights are random, in the shapes of the paper's models, and so are the facts' tokens; their prompts are as long as
CounterFact's. What a batch takes depends on sizes alone, as all values take all steps (the learning rate is made too
small for any to end sooner). One batch after a small one, of LyapLock with published hyperparameters but for that rate;
evaluation and the checkpoint of \`lyaplock run\` are not in it, while the planned edit has the checkpoint's copy. What is
planned is calculated (see the section on that). The published seconds are the paper's, on
another GPU, and may hold more than the edit: the ratio says what a user who goes from one to the other sees, not whose
code is faster. Second moments are those of all edited layers together, in float64, over twice as many tokens as a key
has neurons.

What the plan does not see: on an H100 products take what was assumed (keys, of which they are nearly all, take 4 to 30 %
longer than planned in float32), and a batch in float32 15 to 42 % longer. With TF32 the values take two to three
times what was planned: what is there beside the products, 2.7 s on GPT2-XL, 11 on GPT-J and 6.4 on LLaMA-3-8B, grows
with the width of heads (64, 256, 128) and not with the model, which says attention, assumed at 10 % of the arithmetic and
slower than that. Updates take four to six times the plan, 8 to 21 ms a layer; they are 0.3 to 1 % of a batch.

Two things have been changed since and not been measured: attention reads its tiles with all loads under way and skips the
rows that are not there, and the memory pool no longer gives back, at every wait, what it had free beside the two larger
models.
`;

/** None that a value reaches its target with, and none that it loses it with. */
const LEARNING_RATE = 1e-4;

/** Less is more than a host without a GPU should be asked for: 32 GB of weights and hours. */
const LEAST_SCALE_ON_HOST = 8;

export async function run({ scale, device }) {
  const isGpu = addon().device === "cuda";
  if (!isGpu && scale < LEAST_SCALE_ON_HOST) {
    console.log(`left out: there is no GPU in use; --scale ${LEAST_SCALE_ON_HOST} or more runs it on the CPU`);
    return [];
  }
  const folder = await mkdtemp(path.join(tmpdir(), "lyaplock-planned-"));
  const rows = [];
  try {
    for (const { title, config: name, published } of paperModels) {
      const given = await readModelConfig(
        fileURLToPath(new URL(`../test/configs/${name}/config.json`, import.meta.url)),
      );
      const config = narrowed(given, scale);
      const hyperparameters = { ...defaultHyperparameters(config), learningRate: LEARNING_RATE };
      const file = path.join(folder, "model.safetensors");
      writeRandomCheckpoint(file, config);
      const facts = scaledDown(100, scale);
      for (const matmul of isGpu ? ["f32", "tf32"] : ["f32"]) {
        const took = await inChild({ file, config, hyperparameters, device, matmul, count: facts });
        const plan = await planFor(took.backend, { matmul, config, hyperparameters, edits: facts });
        rows.push({ title, matmul, published, scale, facts, layers: hyperparameters.layers.length, plan, ...took });
        const parts = ["load", "moments", "factor", "values", "keys", "updates", "batch"];
        console.error(`${title}, ${matmul}: ${parts.map((part) => `${part} ${seconds(took[part])} s`).join(", ")}`);
      }
      await rm(file);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return rows;
}

/** In a process of its own, since a process multiplies in one way. */
async function inChild(options) {
  const child = fileURLToPath(new URL("planned-child.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [child, JSON.stringify(options)]);
  return JSON.parse(stdout);
}

/** Undefined where the GPU is none of those that can be planned for. */
async function planFor(backend, { matmul, config, hyperparameters, edits }) {
  const known = {
    "NVIDIA A100-SXM4-80GB": "a100",
    "NVIDIA H100 80GB HBM3": "h100",
    "NVIDIA GeForce RTX 4090": "rtx4090",
  };
  const device = Object.entries(known).find(([name]) => backend.includes(name))?.[1];
  if (device === undefined) return undefined;
  const options = { device, matmul, solve: "f64", config, hyperparameters, edits, batch: edits };
  return (await planOnDevice(options)).weightChanges;
}

/** With fewer heads of the same width, and everything that is as wide as they are together. */
function narrowed(config, scale) {
  const { heads, keyValueHeads, headWidth, feedForwardWidth, vocabulary } = config;
  const shared = heads / keyValueHeads;
  const groups = scaledDown(keyValueHeads, scale);
  return {
    ...config,
    heads: shared * groups,
    keyValueHeads: groups,
    width: shared * groups * headWidth,
    feedForwardWidth: scaledDown(feedForwardWidth, scale),
    vocabulary: scaledDown(vocabulary, scale),
  };
}
