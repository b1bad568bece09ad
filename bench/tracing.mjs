// The published code runs the whole batch of copies anew for every token and layer; here only what a restoration changes.

import { loadModel, trace } from "../dist/index.js";
import { packTokens } from "../dist/model/index.js";
import { call } from "../dist/native/index.js";
import { compare, comparison } from "./compare.mjs";

export const question = "What does it cost to trace two facts with reuse, and by a full pass for every restoration?";

export const columns = [["restored", (row) => row.kind], ...comparison];

export const notes = `
Both restore at every token and layer, with one clean and ten corrupted copies of each prompt. *Full passes* are forward
passes of those eleven copies, of which the last token alone is scored, as many as there are restorations, and nothing is
restored in them: the least that tracing without reuse can cost. Reuse leaves out the layers below what is restored, the
tokens before it and the clean copy, and its products are larger, since all tokens of a layer go through together. Bound
by arithmetic in float32. Attention outputs are restored in windows as MLP outputs are, and cost the same. All three
together, which is what a trace does unless told otherwise, share the corrupted runs.
`;

const COPIES = 10;
/** A subject at the beginning, where reuse spares least, and one after the article. */
const PROMPTS = [
  { subject: "Miles Davis", prompt: "Miles Davis plays the" },
  { subject: "Space Needle", prompt: "The Space Needle is in the city of" },
];

export async function run({ model: source = "builtin:atlas" }) {
  const model = await loadModel(source);
  const facts = [];
  for (const [knownId, prompt] of PROMPTS.entries()) {
    const [{ text }] = await model.nextTokens(prompt.prompt, { top: 1 });
    facts.push({ ...prompt, knownId, attribute: text });
  }
  const traced = async (kinds) => {
    const found = [];
    for await (const fact of trace(model, facts, { kinds, samples: COPIES, noise: 0.1 })) found.push(fact);
    return found;
  };
  const passes = facts.map((fact) => fullPass(model, fact));
  await verify(await traced(["state"]), passes);

  const rows = [];
  for (const kinds of [["state"], ["mlp"], ["state", "mlp", "attention"]]) {
    const compared = await compare({
      reuse: async () => void (await traced(kinds)),
      "full passes": async () => {
        for (const { restorations, pass } of passes) for (let i = 0; i < kinds.length * restorations; i++) await pass();
      },
    });
    rows.push(...compared.map((row) => ({ kind: kinds.join(", "), ...row })));
  }
  model.dispose();
  return rows;
}

function fullPass(model, { prompt, attribute }) {
  const tokens = model.encodePrompt(prompt);
  const batch = packTokens(Array.from({ length: COPIES + 1 }, () => tokens));
  const last = batch.offsets.slice(1).map((end) => end - 1);
  const answer = model.tokenizer.encodeTarget(attribute)[0];
  const targets = new Int32Array(COPIES + 1).fill(answer);
  const pass = () => call((cancellation) => model.native.score(batch, last, targets, cancellation));
  return { restorations: tokens.length * model.config.layers, pass };
}

/** Nothing is timed that was not traced, or by passes of something else. */
async function verify(traced, passes) {
  if (traced.length !== passes.length) throw new Error(`${traced.length} of ${passes.length} facts were traced`);
  for (const [i, { pass }] of passes.entries()) {
    const { losses } = await pass();
    const error = Math.abs(Math.exp(-losses[0]) - traced[i].high);
    if (!(error < 1e-4)) throw new Error(`probabilities of fact ${i} differ by ${error}`);
  }
}
