// The published code optimises one fact after the other; here a batch goes through together.

import { readFile } from "node:fs/promises";
import { optimizeValues } from "../dist/edit/values.js";
import { loadModel, openDataset, parseContextTemplates, parseHyperparameters } from "../dist/index.js";
import { compare, comparison } from "./compare.mjs";

export const question = "What do the values of 20 facts of the built-in model cost together, and one after the other?";

export const columns = comparison;

export const notes = `
Bound by arithmetic in float32 where facts go through together; one after the other, the products are too thin for
that, and the weights are read again for every fact.
`;

export async function run() {
  const model = await loadModel("builtin:atlas");
  const json = async (name) => JSON.parse(await readFile(new URL(`../models/atlas/${name}`, import.meta.url), "utf8"));
  const contexts = parseContextTemplates(await json("context_templates.json"));
  const hyperparameters = parseHyperparameters(await json("hparams.json"));
  const facts = [];
  for await (const record of openDataset("atlas").records({ limit: 20 })) facts.push(record);

  const values = async (some) => {
    const { values: found, initial } = await optimizeValues(model, some, contexts, hyperparameters);
    const array = await found.toFloat32Array();
    found.dispose();
    initial.dispose();
    return array;
  };
  await verify(values, facts);
  const rows = await compare({
    together: async () => void (await values(facts)),
    "one after the other": async () => {
      for (const fact of facts) await values([fact]);
    },
  });
  model.dispose();
  return rows;
}

/** A wrong answer is not timed: values must agree but for rounding, which 25 steps of Adam amplify. */
async function verify(values, facts) {
  const together = await values(facts);
  const width = together.length / facts.length;
  const alone = await values([facts[0]]);
  let [error, norm] = [0, 0];
  for (let i = 0; i < width; i++) {
    error += (together[i] - alone[i]) ** 2;
    norm += alone[i] ** 2;
  }
  if (!(Math.sqrt(error / norm) < 1e-2)) throw new Error(`values differ by ${Math.sqrt(error / norm)}`);
}
