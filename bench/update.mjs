// One layer at a quarter of GPT2-XL's widths. The primal form is the published algebra with its LU inverse (8/3 d³) replaced by a
// Cholesky factor (1/3 d³), so the ratio is a lower bound of the one to the published code.

import { KeySpace, LayerEditor, Matrix } from "../dist/engine.js";
import { compare, comparison } from "./compare.mjs";
import { generator } from "./layer.mjs";

export const question =
  "What do facts in batches of 100 cost one layer, in whitened key space and in the space of the keys?";

export const columns = [["facts", (row) => row.facts], ...comparison];

export const notes = `
The two forms of the update give the same drift; the engine takes the one that costs fewer operations. Both are bound
by arithmetic.
`;

const [d, m, u] = [1600, 400, 100];

export async function run() {
  const random = generator(7);
  const keySpace = await KeySpace.fromCovariance(await wellPosed(random));
  const rows = [];
  for (const count of [100, 500, 1500]) {
    const batches = Array.from({ length: count / u }, () => ({
      keys: matrix(random, u, d),
      residuals: matrix(random, u, m),
    }));
    const edit = async (form) => {
      const editor = await LayerEditor.create(keySpace, { valueWidth: m });
      for (const batch of batches) await editor.update({ ...batch, weight: 15, form });
      return editor;
    };
    verify(await driftOf(await edit(undefined)), await driftOf(await edit("primal")));
    const compared = await compare({
      "the cheaper form": async () => (await edit(undefined)).dispose(),
      "the space of the keys": async () => (await edit("primal")).dispose(),
    });
    rows.push(...compared.map((row) => ({ facts: count, ...row })));
  }
  return rows;
}

async function driftOf(editor) {
  const drift = await (await editor.drift()).toFloat64Array();
  editor.dispose();
  return drift;
}

/** A wrong answer is not timed. */
function verify(drift, other) {
  let [error, norm] = [0, 0];
  for (let i = 0; i < drift.length; i++) {
    error += (drift[i] - other[i]) ** 2;
    norm += other[i] ** 2;
  }
  if (!(Math.sqrt(error / norm) < 1e-9)) throw new Error(`the two forms differ by ${Math.sqrt(error / norm)}`);
}

async function wellPosed(random) {
  const values = Float64Array.from({ length: d * d });
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < i; j++) values[i * d + j] = values[j * d + i] = (0.3 * random()) / d;
    values[i * d + i] = 0.5 + Math.abs(random());
  }
  return Matrix.from({ values, rows: d, cols: d });
}

const matrix = (random, rows, cols) => ({ rows, cols, values: Float64Array.from({ length: rows * cols }, random) });
