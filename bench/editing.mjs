// A batch of facts on a whole model. The published side optimises a sample of the facts only: it takes some 20 s for each on
// a model of 135 million parameters.

import { readFile } from "node:fs/promises";
import { beginKeys } from "../dist/edit/keys.js";
import { optimizeValues } from "../dist/edit/values.js";
import {
  cachedSecondMoments,
  evaluate,
  generateContextTemplates,
  loadModel,
  methods,
  openDataset,
  parseHyperparameters,
  SequentialEditor,
  summarize as summarizeCases,
} from "../dist/index.js";
import { builtinFiles } from "../dist/model/builtin.js";
import { addon, call } from "../dist/native/index.js";
import { cosine, largestDifference, relativeError } from "./agreement.mjs";
import { PublishedEditing, WITHOUT_TRANSFORMERS } from "./baselines/editing.mjs";
import { generator, scaledDown } from "./layer.mjs";
import { summarize } from "./statistics.mjs";
import { percent, seconds, times } from "./table.mjs";

export const question =
  "What does a batch of 100 facts cost on a whole model, beside the published procedure in PyTorch and transformers?";

export const columns = [
  ["model", (row) => row.model],
  ["work", (row) => row.work],
  ["ours, s", (row) => seconds(row.ours.median)],
  ["spread", (row) => percent(row.ours.spread)],
  ["published, s", (row) => seconds(row.published.median)],
  ["its spread", (row) => percent(row.published.spread)],
  ["runs of it", (row) => row.ran],
  ["faster", (row) => times(row.ratio)],
  ["agreement", (row) => row.agreement],
];

export const notes = `
Both sides have the same weights in float32, the same facts in the same context templates, hyperparameters and second
moments. The baseline (bench/baselines/editing.py) follows the published code step by step: one fact at a time, the
whole model over all tokens of all prompts in every iteration, its head twice; keys and residuals layer by layer, in
batches of 128 whole prompts through the whole model. It gets the attention kernel that transformers takes today and
no key/value cache, which make it faster than the published code was.

The published values are those of a sample of facts, spread over the batch; their mean times the facts of the batch
stands for all of them. *A value alone* is the median over the sample, of neighbours. *Faster* is the median of the
ratios of neighbours. In the whole batch, facts that the baseline has not optimised have our values there.
`;

/** Options that this benchmark takes, in the names of `lyaplock run`, and their defaults. */
const own = builtinFiles("atlas");
const DEFAULTS = { model: "builtin:atlas", dataset: "atlas", hparams: own.hyperparameters, text: own.texts, sample: 5 };

/** Thirty for every neuron of the narrowest MLPs of real models. */
const MOMENT_TOKENS = 50_000;
const SEED = 42;

export async function run({ scale, ...options }) {
  const bench = await Bench.open({ ...DEFAULTS, ...options }, scaledDown(100, scale));
  if (bench === undefined) {
    console.log(WITHOUT_TRANSFORMERS);
    return [];
  }
  try {
    const rows = [await bench.forward(), ...(await bench.values()), await bench.keys(), await bench.wholeBatch()];
    return rows.map((row) => ({ model: bench.model.name, baseline: bench.published.version, ...row }));
  } finally {
    bench.close();
  }
}

class Bench {
  static async open({ model: source, dataset, hparams: file, text, sample }, count) {
    const hparams = JSON.parse(await readFile(file, "utf8"));
    const hyperparameters = parseHyperparameters(hparams);
    const { layers, alpha = 60 } = hyperparameters;
    const model = await loadModel(source);
    const facts = [];
    for await (const record of openDataset(dataset).records({ limit: count })) facts.push(record);
    const contexts = await generateContextTemplates(model, SEED);
    const moments = await cachedSecondMoments(model, [text], { layers, tokens: MOMENT_TOKENS });
    const covariances = [];
    for (const layer of layers) covariances.push(await moments.get(layer).covariance.toFloat64Array());
    const published = await PublishedEditing.start({
      ...{ directory: model.directory, facts, contexts, hparams, alpha, covariances },
    });
    if (published === undefined) return undefined;
    const chosen = Math.min(sample, facts.length);
    const sampled = Array.from({ length: chosen }, (_, i) => Math.floor((i * facts.length) / chosen));
    return new Bench({ model, facts, contexts, hyperparameters, alpha, moments, published, sampled });
  }

  constructor(parts) {
    Object.assign(this, parts);
  }

  close() {
    this.published.stop();
    this.moments.dispose();
    this.model.dispose();
  }

  /** Logits at every token of 8 sequences of 64. */
  async forward() {
    const { vocabulary } = this.model.config;
    const random = generator(5);
    const tokens = Int32Array.from({ length: 8 * 64 }, () => Math.floor(((random() + 1) / 2) * vocabulary));
    const batch = { tokens, offsets: Int32Array.from({ length: 9 }, (_, i) => 64 * i) };
    const rows = Int32Array.from(tokens.keys());
    const ours = () => call((cancellation) => this.model.native.logits(batch, rows, cancellation));

    const found = await ours();
    const difference = largestDifference(await found.toFloat32Array(), await this.published.logits(tokens, 8, 64));
    found.dispose();
    if (!(difference <= 1e-3)) throw new Error(`logits differ by ${difference}`);

    const sample = [];
    for (let repetition = 0; repetition < 7; repetition++) {
      const theirs = await this.published.forward(tokens, 8, 64);
      sample.push({ theirs, ours: await timed(async () => (await ours()).dispose()) });
    }
    const agreement = `logits differ by ${difference.toExponential(0)} at most`;
    return compared("forward pass of 8 × 64 tokens, all logits", sample, { agreement });
  }

  /** Of all facts together, and of a sample one by one. */
  async values() {
    const whole = [await this.valuesOf(this.facts)];
    this.found = whole[0];
    this.theirs = new Map();
    const alone = [];
    for (const fact of this.sampled) {
      const theirs = await this.published.value(fact);
      this.theirs.set(fact, theirs);
      const ours = await this.valuesOf([this.facts[fact]]);
      alone.push({ theirs: theirs.seconds, ours: ours.seconds });
      console.error(`fact ${fact}: ${theirs.seconds.toFixed(1)} s published, ${ours.seconds.toFixed(2)} s alone`);
    }
    whole.push(await this.valuesOf(this.facts));
    this.publishedValues = (this.facts.length * sum(alone.map(({ theirs }) => theirs))) / alone.length;
    const ran = `${alone.length} of ${this.facts.length} facts`;
    return [
      compared(
        `values of ${this.facts.length} facts together`,
        whole.map(({ seconds }) => ({ ours: seconds, theirs: this.publishedValues })),
        { ran, agreement: this.agreementOfValues() },
      ),
      compared("a value alone", alone, { ran }),
    ];
  }

  agreementOfValues() {
    const { width } = this.model.config;
    const cosines = this.sampled.map((fact) =>
      cosine(this.found.values.subarray(fact * width, (fact + 1) * width), this.theirs.get(fact).value),
    );
    const close = cosines.filter((value) => value >= 0.999).length;
    const iterations = (of) => (sum(this.sampled.map(of)) / this.sampled.length).toFixed(1);
    const [ours, theirs] = [
      iterations((fact) => this.found.iterations[fact]),
      iterations((fact) => this.theirs.get(fact).iterations),
    ];
    return (
      `cosine of z ≥ 0.999 for ${close} of ${cosines.length}, ${Math.min(...cosines).toFixed(6)} at least; ` +
      `iterations ${ours}, published ${theirs}`
    );
  }

  /** Of all layers, nothing being edited. */
  async keys() {
    const { layers } = this.hyperparameters;
    const values = this.valuesForBoth();
    const sample = [];
    let difference = 0;
    for (let repetition = 0; repetition < 3; repetition++) {
      const theirs = await this.published.batch(values, { update: false });
      const ours = await this.readingsOf(values);
      for (const [i, { keys, residuals }] of theirs.layers.entries()) {
        difference = Math.max(difference, relativeError(ours.layers[i].keys, keys));
        difference = Math.max(difference, relativeError(ours.layers[i].residuals, residuals));
      }
      sample.push({ theirs: theirs.seconds.keys, ours: ours.seconds });
    }
    if (!(difference <= 1e-3)) throw new Error(`keys or residuals differ by ${difference}`);
    const agreement = `they differ by ${difference.toExponential(0)} at most`;
    return compared(`keys and residuals of ${layers.length} layers, ${this.facts.length} facts`, sample, { agreement });
  }

  /** Values, keys, residuals, updates. */
  async wholeBatch() {
    const theirs = await this.published.batch(this.valuesForBoth(), { update: true });
    const theirScores = await this.published.scores();
    await this.published.reset();
    const theirEfficacy =
      theirScores.filter((score) => score.target_true > score.target_new).length / this.facts.length;

    const { model, hyperparameters, alpha, moments, contexts } = this;
    const method = methods.lyaplock({ alpha });
    const editor = await SequentialEditor.create(model, {
      ...{ method, hyperparameters, moments },
      contextTemplates: contexts,
    });
    const before = await editor.weights();
    const ours = await timed(() => editor.editBatch(this.facts));
    const cases = [];
    for await (const scores of evaluate(model, this.facts)) cases.push(scores);
    for (const [layer, weight] of before) {
      await call(() => model.native.setWeight(layer, weight));
      weight.dispose();
    }
    editor.dispose();

    const efficacy = `efficacy ${summarizeCases(cases).efficacy.mean.toFixed(0)} %, published ${percent(theirEfficacy)}`;
    const total = this.publishedValues + theirs.seconds.keys + theirs.seconds.updates;
    return compared(`a whole batch of ${this.facts.length} edits`, [{ theirs: total, ours }], {
      ran: `1, values of ${this.sampled.length} facts`,
      agreement: efficacy,
    });
  }

  async valuesOf(facts) {
    const begun = performance.now();
    const found = await optimizeValues(this.model, facts, this.contexts, this.hyperparameters);
    const seconds = (performance.now() - begun) / 1000;
    const values = await call(() => found.values.toFloat32Array());
    for (const matrix of [found.values, found.initial]) matrix.dispose();
    return { seconds, values, iterations: found.iterations };
  }

  /** The published values where there are some, ours elsewhere. */
  valuesForBoth() {
    const values = this.found.values.slice();
    for (const [fact, { value }] of this.theirs) values.set(value, fact * this.model.config.width);
    return values;
  }

  async readingsOf(array) {
    const { layers } = this.hyperparameters;
    const values = addon().createMatrix(array, this.facts.length, this.model.config.width);
    const read = [];
    const begun = performance.now();
    const pass = await beginKeys(this.model, this.facts, this.contexts);
    for (const [i, layer] of layers.entries()) {
      const keys = await call((cancellation) => pass.keys(layer, cancellation));
      const outputs = await call((cancellation) => pass.outputs(layers.at(-1), cancellation));
      read.push({ keys, residuals: await call(() => addon().residuals(values, outputs, layers.length - i)) });
      outputs.dispose();
    }
    pass.dispose();
    const seconds = (performance.now() - begun) / 1000;
    values.dispose();
    const found = [];
    for (const { keys, residuals } of read) {
      found.push({ keys: await keys.toFloat64Array(), residuals: await residuals.toFloat64Array() });
      keys.dispose();
      residuals.dispose();
    }
    return { seconds, layers: found };
  }
}

async function timed(work) {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

/** A row from seconds of neighbours. */
function compared(work, sample, { ran = String(sample.length), agreement = "" } = {}) {
  return {
    work,
    ours: summarize(sample.map(({ ours }) => ours)),
    published: summarize(sample.map(({ theirs }) => theirs)),
    ran,
    ratio: summarize(sample.map(({ ours, theirs }) => theirs / ours)).median,
    agreement,
  };
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
