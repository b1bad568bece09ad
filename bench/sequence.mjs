// 60 batches of 100 facts with α = 60, each side with a virtual queue of its own, fed by its own losses.

import { LayerEditor, VirtualQueue } from "../dist/engine.js";
import { countedSeconds, Published, WITHOUT_PYTHON } from "./baselines/published.mjs";
import { covarianceWeightOf, createLayer, dispose, scaledDown, shapeName, shapesAt, toNative } from "./layer.mjs";
import { difference, seconds, times } from "./table.mjs";

export const question =
  "What do 60 batches of 100 facts with the virtual queue cost one layer of GPT2-XL, beside the published algebra in PyTorch?";

export const columns = [
  ["layer", (row) => row.layer],
  ["facts", (row) => row.facts],
  ["weight changed in", (row) => `${row.weightChanges} of ${row.batches} batches`],
  ["queue at the end", (row) => row.queue.toPrecision(3)],
  ["ours, s", (row) => seconds(row.ours)],
  ["its slowest batch", (row) => seconds(Math.max(...row.oursByBatch))],
  ["published, s", (row) => seconds(row.published)],
  ["not counted", (row) => seconds(row.rest)],
  ["faster", (row) => times(row.ratio)],
  ["drifts differ by", (row) => difference(row.difference)],
];

export const notes = `
Time is counted as in the benchmark of single batches. Each side feeds a virtual queue (α = 60) with its own losses
and solves with the weights that come of it, so the difference of the drifts at the end holds that of two whole
sequences.
`;

const BATCHES = 60;
const ALPHA = 60;

export async function run({ scale }) {
  const [shape] = shapesAt(scale);
  const layer = await createLayer(shape);
  const published = await Published.start(shape, layer);
  if (published === undefined) console.log(WITHOUT_PYTHON);
  try {
    return [await sequence({ shape, layer, published })];
  } finally {
    published?.stop();
  }
}

async function sequence({ shape, layer, published }) {
  const batch = scaledDown(100, shape.scale);
  const lambda = covarianceWeightOf(shape);
  const editor = await LayerEditor.create(layer.keySpace, { valueWidth: shape.m });
  let ourQueue = VirtualQueue.create({ alpha: ALPHA });
  let theirQueue = VirtualQueue.create({ alpha: ALPHA });
  let weightChanges = 0;
  let drift;
  const ours = [];
  const theirs = [];
  for (let index = 0; index < BATCHES; index++) {
    const input = { keys: layer.keys(batch), residuals: layer.residuals(batch) };
    const native = await toNative(input, shape);
    if (published !== undefined) {
      const answer = await published.update(input, batch, theirQueue.weight(lambda));
      theirQueue = theirQueue.after(answer.preservationLoss);
      theirs.push(answer.seconds);
    }
    drift?.dispose();
    const begun = performance.now();
    const report = await editor.update({ ...native, weight: ourQueue.weight(lambda) });
    drift = await editor.drift();
    ours.push((performance.now() - begun) / 1000);
    dispose(native);
    const next = ourQueue.after(report.preservationLoss);
    if (index < BATCHES - 1 && next.queue !== ourQueue.queue) weightChanges++;
    ourQueue = next;
    console.error(`batch ${index + 1} of ${BATCHES}: ${ours.at(-1).toFixed(2)} s, queue ${next.queue.toFixed(3)}`);
  }
  const row = {
    layer: shapeName(shape),
    batches: BATCHES,
    facts: editor.facts,
    weightChanges,
    queue: ourQueue.queue,
    ours: sum(ours),
    oursByBatch: ours,
  };
  if (published === undefined) return row;
  const found = await published.differenceTo(drift);
  if (!(found <= 1e-8)) throw new Error(`our drift differs from the published one by ${found}`);
  const counted = theirs.map(countedSeconds);
  return {
    ...row,
    baseline: published.version,
    published: sum(counted),
    publishedByBatch: counted,
    rest: sum(theirs.map(({ rest }) => rest)),
    ratio: sum(counted) / sum(ours),
    difference: found,
  };
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
