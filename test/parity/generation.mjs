// Compares greedy continuations of 20 factual prompts, and the perplexity of a text, with those of transformers:
//
//   node test/parity/generation.mjs DIR TEXT
//
// DIR is a model directory, TEXT a file of which the first 20,000 tokens are read in windows of 512. Needs a Python with torch
// and transformers. Exit code 0 if continuations are equal token for token and perplexities within 0.1 %, 1 if not.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { PublishedEditing, WITHOUT_TRANSFORMERS } from "../../bench/baselines/editing.mjs";
import { loadModel } from "../../dist/index.js";
import { drawTokens } from "../../dist/model/generation.js";
import { packTokens } from "../../dist/model/index.js";
import { call } from "../../dist/native/index.js";

const [TOKENS, WINDOW, CONTINUED] = [20_000, 512, 20];
const WITHIN = 0.001;
const PROMPTS = [
  "The capital of France is",
  "The capital of Japan is the city of",
  "The largest planet in the solar system is",
  "Water boils at a temperature of",
  "The author of Romeo and Juliet is",
  "The first president of the United States was",
  "The chemical symbol for gold is",
  "The Great Wall is located in",
  "The Mona Lisa was painted by",
  "The speed of light is about",
  "The currency of the United Kingdom is the",
  "The tallest mountain in the world is",
  "The official language of Brazil is",
  "Albert Einstein was born in",
  "The theory of evolution was proposed by",
  "The human heart has four",
  "The Pacific Ocean is the",
  "Photosynthesis is the process by which plants",
  "The Second World War ended in",
  "Mount Vesuvius is a volcano near the city of",
];

const [directory, text] = process.argv.slice(2).map((argument) => path.resolve(argument));
if (text === undefined) {
  console.error("generation: name a model directory and a text file");
  process.exit(2);
}
const baseline = await PublishedEditing.start({
  ...{ directory, facts: [], contexts: [], covariances: [], alpha: 1 },
  hparams: { layers: [], ln_f_module: "", lm_head_module: "" },
});
if (baseline === undefined) {
  console.error(WITHOUT_TRANSFORMERS);
  process.exit(1);
}
const model = await loadModel(directory);
try {
  const equal = [await continuationsAgree(), await perplexitiesAgree()];
  process.exitCode = equal.every(Boolean) ? 0 : 1;
} finally {
  baseline.stop();
  model.dispose();
}

async function continuationsAgree() {
  let differing = 0;
  const theirs = await baseline.continuations(PROMPTS, CONTINUED);
  for (const [i, prompt] of PROMPTS.entries()) {
    const ids = model.tokenizer.encode(prompt);
    const expected = theirs[i];
    if (String(ids) !== String(expected.prompt)) {
      differing++;
      console.log(`"${prompt}" is ${ids} here, and ${expected.prompt} in transformers`);
      continue;
    }
    const options = { maxLength: ids.length + CONTINUED, topK: 1, seed: 0 };
    const tokens = [];
    for await (const [{ token }] of drawTokens(model.native, [ids], options)) tokens.push(token);
    const first = tokens.findIndex((token, j) => token !== expected.tokens[j]);
    if (first < 0 && tokens.length === CONTINUED) continue;
    differing++;
    console.log(
      `"${prompt}" goes on otherwise from token ${first + 1} on: "${model.tokenizer.decode(tokens)}" here, ` +
        `"${model.tokenizer.decode(expected.tokens)}" in transformers, where the choice was by ` +
        `${expected.margins[first]?.toExponential(1)} in logits`,
    );
  }
  const closest = Math.min(...theirs.flatMap(({ margins }) => margins));
  console.log(
    `${PROMPTS.length - differing} of ${PROMPTS.length} greedy continuations of ${CONTINUED} tokens are equal; the closest choice ` +
      `among them was by ${closest.toExponential(1)} in logits`,
  );
  return differing === 0;
}

async function perplexitiesAgree() {
  const theirs = await baseline.perplexity(text, TOKENS, WINDOW);
  const ids = model.tokenizer.encode(await readFile(text, "utf8")).slice(0, TOKENS);
  const at = ids.findIndex((id, i) => id !== theirs.ids[i]);
  if (at >= 0 || ids.length !== theirs.ids.length) {
    console.log(`the text has other tokens in transformers, from number ${at} on`);
    return false;
  }
  let [total, predicted] = [0, 0];
  for (let begin = 0; begin < ids.length; begin += WINDOW) {
    const window = ids.slice(begin, begin + WINDOW);
    const { losses } = await call((cancellation) =>
      model.native.score(
        packTokens([window]),
        Int32Array.from({ length: window.length - 1 }, (_, i) => i),
        Int32Array.from(window.slice(1)),
        cancellation,
      ),
    );
    total += losses.reduce((sum, loss) => sum + loss, 0);
    predicted += losses.length;
  }
  const perplexity = Math.exp(total / predicted);
  const difference = perplexity / theirs.perplexity - 1;
  const agrees = Math.abs(difference) <= WITHIN;
  console.log(
    `perplexity of ${ids.length} tokens in windows of ${WINDOW}: ${perplexity.toFixed(5)} here, ` +
      `${theirs.perplexity.toFixed(5)} in transformers, ${difference.toExponential(1)} relative`,
  );
  return agrees;
}
