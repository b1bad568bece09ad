// How long prompts are, on average: what src/edit/plan-prompts.ts plans with. Texts decide that, and the tokenizer a little.
//
//   node bench/prompt-lengths.mjs smollm2-135m counterfact:FILE [FACTS]

import { openDataset } from "../dist/data/index.js";
import { generateContextTemplates } from "../dist/edit/context-templates.js";
import { keyPrompts, valuePrompts } from "../dist/edit/prompts.js";
import { loadModel } from "../dist/model/load.js";

const [source, dataset, count = "1000"] = process.argv.slice(2);
if (dataset === undefined) {
  console.error("prompt-lengths: node bench/prompt-lengths.mjs MODEL counterfact:FILE [FACTS]");
  process.exit(2);
}
const model = await loadModel(source);
const contexts = await generateContextTemplates(model, 42);
let facts = 0;
const sums = { before: 0, after: 0, target: 0, subject: 0, context: 0 };
for await (const fact of openDataset(dataset).records({ limit: Number(count) })) {
  facts += 1;
  const { rewriting, divergence, target } = valuePrompts(model.tokenizer, fact, contexts);
  const [bare, ...inContext] = keyPrompts(model.tokenizer, fact, contexts);
  sums.before += bare.lookup;
  sums.after += rewriting[0].tokens.length - rewriting[0].lookup - target.length;
  sums.target += target.length;
  sums.subject += divergence.lookup + 1;
  sums.context += inContext.reduce((sum, { lookup }) => sum + lookup - bare.lookup, 0) / inContext.length;
}
console.log(Object.fromEntries(Object.entries(sums).map(([part, sum]) => [part, (sum / facts).toFixed(2)])));
