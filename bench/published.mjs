// One layer, 100 new facts after n others. Ours is all of `update` and `drift`; of the published batch only what the question
// names counts. Ours gets dearer with n, the published one does not depend on it.

import { LayerEditor } from "../dist/engine.js";
import { countedSeconds, Published, WITHOUT_PYTHON } from "./baselines/published.mjs";
import { covarianceWeightOf, createLayer, dispose, scaledDown, shapeName, shapesAt, toNative } from "./layer.mjs";
import { summarize } from "./statistics.mjs";
import { difference, gigaflops, percent, seconds, times } from "./table.mjs";

export const question =
  "What does a batch of 100 new facts cost one layer of GPT2-XL, beside the published inverse, update and one loss in PyTorch?";

export const columns = [
  ["layer", (row) => row.layer],
  ["facts before", (row) => row.facts],
  ["new", (row) => row.batch],
  ["weight μ", (row) => row.weight],
  ["form", (row) => row.form],
  ["ours, s", (row) => seconds(row.ours.median)],
  ["spread", (row) => percent(row.ours.spread)],
  ["ours, GFLOP/s", (row) => gigaflops(row.gigaflops)],
  ["published, s", (row) => seconds(row.published?.median)],
  ["its inverse", (row) => seconds(row.parts?.solve)],
  ["its update", (row) => seconds(row.parts?.update)],
  ["its loss", (row) => seconds(row.parts?.loss)],
  ["not counted", (row) => seconds(row.parts?.rest)],
  ["faster", (row) => times(row.ratio)],
  ["drifts differ by", (row) => difference(row.difference)],
];

export const notes = `
Ours is the time from calling \`editor.update\` to holding \`editor.drift()\`, checks, preservation loss and residual
of the solve included; keys and residuals are native matrices already. Of the published batch there counts A's inverse
by \`torch.linalg.solve\` against the identity, the product with it, and one evaluation of the loss by traces, with W0
C and its own trace given; all in float64. *Not counted* is the rest of its batch: forming A and the left side, adding
to the weight, and the sums of past keys and values. The published code takes the product twice and the loss twice in
the first batch; once each is counted here. Both go through the same keys, residuals and second moment, one after the
other, batch by batch, and end with the same drift.

*Kept* means the weight of the batch before, *changed* one that the virtual queue has raised since, as it had before
that batch. Three repetitions each, of which every one begins with the same facts: both sides go back to what they had,
ours with a new editor from the exported state of the first. *Faster* is the median of the ratios of neighbours.

What limits: the published batch does 8/3 d³ + 6 m d² + 2 m² d flops in large products and factorisations, so it is
bound by arithmetic. Ours reads L twice for 100 rows, about 25 flops to a byte, then multiplies with everything it
holds of the facts: with few facts the passes over L and the drift are what it takes, with many the products of the
size of the ledger, and with a changed weight the Cholesky factorisation of n facts.
`;

const REPETITIONS = 3;

export async function run({ scale }) {
  const [shape] = shapesAt(scale);
  const layer = await createLayer(shape);
  const published = await Published.start(shape, layer);
  if (published === undefined) console.log(WITHOUT_PYTHON);
  try {
    const rows = [];
    for (const facts of [100, 1000, 3000, 6000]) rows.push(...(await batchesAfter(facts, { shape, layer, published })));
    return rows;
  } finally {
    published?.stop();
  }
}

async function batchesAfter(facts, { shape, layer, published }) {
  const before = scaledDown(facts, shape.scale);
  const batch = scaledDown(100, shape.scale);
  const rows = [];
  for (const weight of ["kept", "changed"]) {
    const session = await editedBefore(before, batch, weight, { shape, layer, published });
    const sample = [];
    for (let repetition = 0; repetition < REPETITIONS; repetition++) {
      sample.push(await timedBatch(batch, session, { shape, layer, published }));
    }
    for (const { keys, targets, values } of session.state.batches)
      for (const part of [keys, targets, values]) part.dispose();
    rows.push(rowOf(sample, { weight, facts: before, batch, shape, published }));
  }
  return rows;
}

/** The state of an editor, and the published one, after as many facts. */
async function editedBefore(facts, batch, weightOfBatches, { shape, layer, published }) {
  const editor = await LayerEditor.create(layer.keySpace, { valueWidth: shape.m });
  let weight = covarianceWeightOf(shape);
  await published?.reset();
  while (editor.facts < facts) {
    const count = Math.min(batch, facts - editor.facts);
    const input = { keys: layer.keys(count), residuals: layer.residuals(count) };
    const native = await toNative(input, shape);
    if (weightOfBatches === "changed" && editor.facts + count >= facts - batch) weight *= 1.1;
    await editor.update({ ...native, weight });
    dispose(native);
    const drift = await editor.drift();
    await published?.follow(input, count, drift);
    drift.dispose();
  }
  await published?.keep();
  const state = await editor.export();
  editor.dispose();
  return { state, weight: weightOfBatches === "changed" ? 1.1 * weight : weight };
}

async function timedBatch(batch, { state, weight }, { shape, layer, published }) {
  const input = { keys: layer.keys(batch), residuals: layer.residuals(batch) };
  const native = await toNative(input, shape);
  await published?.recall();
  const theirs = await published?.update(input, batch, weight);
  const editor = await LayerEditor.import(layer.keySpace, state);
  const begun = performance.now();
  const report = await editor.update({ ...native, weight });
  const drift = await editor.drift();
  const ours = (performance.now() - begun) / 1000;
  const found = await verified(drift, report, published);
  drift.dispose();
  editor.dispose();
  dispose(native);
  return { ours, report, theirs, difference: found };
}

/** A wrong answer is not timed. */
async function verified(drift, report, published) {
  if (!(report.solveResidual <= 1e-10)) throw new Error(`the system is solved to ${report.solveResidual} only`);
  if (published === undefined) return undefined;
  const found = await published.differenceTo(drift);
  if (!(found <= 1e-8)) throw new Error(`our drift differs from the published one by ${found}`);
  return found;
}

function rowOf(sample, { weight, facts, batch, shape, published }) {
  const ours = summarize(sample.map((one) => one.ours));
  const row = {
    layer: shapeName(shape),
    facts,
    batch,
    weight,
    form: [...new Set(sample.map(({ report }) => report.form))].join(", "),
    ours,
    gigaflops: summarize(sample.map((one) => one.report.flops / one.ours / 1e9)).median,
  };
  if (published === undefined) return row;
  const theirs = summarize(sample.map((one) => countedSeconds(one.theirs.seconds)));
  const part = (name) => summarize(sample.map((one) => one.theirs.seconds[name])).median;
  return {
    ...row,
    baseline: published.version,
    published: theirs,
    parts: { solve: part("solve"), update: part("update"), loss: part("loss"), rest: part("rest") },
    ratio: summarize(sample.map((one) => countedSeconds(one.theirs.seconds) / one.ours)).median,
    difference: Math.max(...sample.map((one) => one.difference)),
  };
}
