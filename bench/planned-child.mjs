// Edits a batch of facts into a model with random weights and prints what that took as JSON: see planned.mjs.

import { counterfactLengths } from "../dist/edit/plan-prompts.js";
import { LanguageModel, methods, SecondMoments, SequentialEditor } from "../dist/index.js";
import { addon, call, useDevice } from "../dist/native/index.js";
import { randomFacts, randomTexts, wordTokenizer } from "./random-model.mjs";

const { file, config, hyperparameters, device, matmul, count } = JSON.parse(process.argv[2]);
useDevice(device);
if (addon().device === "cuda") addon().setGpuArithmetic(matmul, "f64");

const load = lap();
const native = await call(() => addon().loadModel(config, [file], "f32"));
const model = new LanguageModel({
  ...{ name: "random", source: file, directory: "", config, tokenizer: wordTokenizer, native, weights: "f32" },
  ...{ files: [], companions: {}, deltas: [], hash: "" },
});
const seconds = { load: load() };

const collect = lap();
const { layers } = hyperparameters;
const sums = [];
for (const _ of layers) sums.push(await call(() => addon().createSecondMoment(config.feedForwardWidth, "float64")));
const [texts, length] = [8, Math.min(256, config.positions)];
/** Twice as many as a key has neurons, so that the second moment has its full rank. */
const passes = Math.ceil((2 * config.feedForwardWidth) / (texts * length));
for (let pass = 0; pass < passes; pass++) {
  await call(() => native.accumulateMoments(randomTexts(config, texts, length, pass), layers, sums));
}
const byLayer = new Map();
for (const [i, layer] of layers.entries()) {
  byLayer.set(layer, { covariance: await call(() => sums[i].mean()), count: sums[i].count });
  sums[i].dispose();
}
const moments = SecondMoments.fromMatrices(byLayer);
seconds.moments = collect();

const factor = lap();
const { facts, contextTemplates } = randomFacts(config, count + 2, counterfactLengths);
const method = methods.lyaplock();
const editor = await SequentialEditor.create(model, {
  ...{ method, hyperparameters, moments, contextTemplates },
  ridge: 1e-4,
});
moments.dispose();
seconds.factor = factor();

// Libraries choose and load what they need in their first calls.
await editor.editBatch(facts.slice(0, 2));
const begun = lap();
const report = await editor.editBatch(facts.slice(2));
seconds.batch = begun();
const finite = report.layers.every(({ preservationLoss }) => Number.isFinite(preservationLoss) && preservationLoss > 0);
if (!finite) throw new Error("the batch changed nothing, or left what is no number");
const steps = report.values.reduce((sum, { iterations }) => sum + iterations, 0) / report.values.length;
const tokens = passes * texts * length;
console.log(JSON.stringify({ backend: addon().systemInfo().backend, ...seconds, tokens, steps, ...report.seconds }));

function lap() {
  const start = performance.now();
  return () => (performance.now() - start) / 1000;
}
