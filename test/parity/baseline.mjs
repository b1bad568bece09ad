// Checks the baseline of the benchmarks (bench/baselines/editing.py) against the published implementation's own numbers:
//
//   node test/parity/baseline.mjs [DIR …]     directories like test/fixtures/official/tiny-llama, which is one of two defaults
//
// Needs a Python with torch and transformers. Exit code 0 if values, losses, keys, residuals and weights of all batches are
// the published ones but for rounding, 1 if not.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { largestDifference, relativeError } from "../../bench/agreement.mjs";
import { PublishedEditing, WITHOUT_TRANSFORMERS } from "../../bench/baselines/editing.mjs";
import { addon } from "../../dist/native/index.js";

/** The published run's own weights change by some 1e-6 of their drift when its rounding does (sensitivity.json); both grow with
 * every batch, and values by the steps of Adam. */
const TOLERANCE = 1e-4;

const given = process.argv.slice(2);
const official = fileURLToPath(new URL("../fixtures/official/", import.meta.url));
const directories = given.length > 0 ? given : ["tiny-llama", "tiny-gpt2"].map((family) => path.join(official, family));

let failures = 0;
for (const directory of directories) {
  const baseline = await startBaseline(directory);
  if (baseline === undefined) {
    console.error(WITHOUT_TRANSFORMERS);
    process.exit(1);
  }
  try {
    for await (const [what, difference] of differences(directory, baseline)) {
      const agrees = difference <= TOLERANCE; // asked this way round, NaN does not
      if (!agrees) failures++;
      console.log(
        `${path.basename(directory)}: ${what} ${agrees ? "agree" : "DIFFER"}, by ${difference.toExponential(1)}`,
      );
    }
  } finally {
    baseline.published.stop();
  }
}
process.exitCode = failures > 0 ? 1 : 0;

async function startBaseline(directory) {
  const json = async (...parts) => JSON.parse(await readFile(path.join(directory, ...parts), "utf8"));
  const { run, lyaplock: hparams } = await json("hparams.json");
  const facts = (await json("requests.json")).map(({ prompt, subject, target_new, target_true }) => ({
    ...{ prompt, subject, targetNew: target_new, targetTrue: target_true },
  }));
  const covariances = [];
  for (const layer of hparams.layers) {
    const { second_moment: moment } = await tensors(path.join(directory, "statistics", `layer-${layer}.safetensors`));
    covariances.push(moment.values);
  }
  const published = await PublishedEditing.start({
    ...{ directory: path.join(directory, "model"), facts, hparams, covariances },
    contexts: await json("context_templates.json"),
    alpha: run.alpha,
  });
  return published && { published, facts, batchSize: run.batch_size, json };
}

/** What is compared, and its largest relative difference. */
async function* differences(directory, { published, facts, batchSize, json }) {
  const expected = path.join(directory, "expected");
  const truth = await tensors(path.join(expected, "lyaplock.safetensors"));
  const report = await json("expected", "lyaplock.json");
  const originals = await published.weights();
  for (let batch = 1; batch * batchSize <= facts.length; batch++) {
    await published.choose(facts.slice((batch - 1) * batchSize, batch * batchSize));
    const values = [];
    let [ofLosses, ofIterations] = [0, 0];
    for (let fact = 0; fact < batchSize; fact++) {
      const found = await published.value(fact);
      values.push(...found.value);
      const { loss } = report.batches[batch - 1].values[fact];
      ofIterations = Math.max(ofIterations, Math.abs(found.iterations - loss.length));
      ofLosses = Math.max(ofLosses, largestDifference(found.losses, loss));
    }
    yield [`batch ${batch}, iterations`, ofIterations];
    yield [`batch ${batch}, losses`, ofLosses];
    yield [`batch ${batch}, values`, relativeError(values, turned(truth[`batch.${batch}.values`]))];
    const answer = await published.batch(Float32Array.from(values), { update: true });
    const weights = await published.weights();
    for (const [i, { layer, keys, residuals }] of answer.layers.entries()) {
      const name = `batch.${batch}.layer.${layer}`;
      const of = (what) => turned(truth[`${name}.${what}`]);
      yield [`${name}: keys`, relativeError(keys, of("keys"))];
      yield [`${name}: residuals`, relativeError(residuals, of("residuals"))];
      const { a, Z, preservation_loss: loss } = report.batches[batch - 1].layers[layer];
      yield [`${name}: preservation loss`, Math.abs(answer.preservationLosses[i] / loss - 1)];
      yield [`${name}: queue`, Math.abs(answer.queues[i] / (a * Z) - 1)];
      const stored = truth[`${name}.weight`];
      const final = stored.cols === keys.length / batchSize ? stored.values : turned(stored); // GPT-2's is [d, m]
      const original = originals.get(layer);
      const drift = (weight) => Float64Array.from(weight, (value, index) => value - original[index]);
      yield [`${name}: drift of the weight`, relativeError(drift(weights.get(layer)), drift(final))];
    }
  }
}

async function tensors(file) {
  const { tensors: found } = await addon().readTensors(file);
  const read = {};
  for (const [name, matrix] of Object.entries(found)) {
    read[name] = { rows: matrix.rows, cols: matrix.cols, values: await matrix.toFloat64Array() };
    matrix.dispose();
  }
  return read;
}

/** A column per fact, as the published code writes matrices, to a row per fact. */
function turned({ rows, cols, values }) {
  const out = new Float64Array(values.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[j * rows + i] = values[i * cols + j];
  return out;
}
