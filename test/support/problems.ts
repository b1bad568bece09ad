// Random problems for the engine's tests, from seeds.

import { KeySpace, LayerEditor, type LayerEditorOptions, type Matrix } from "../../src/engine.js";
import { type Plain, plain, product, scaled, sum, transposed } from "./plain.js";

/** Numbers in [-1, 1) from a seed. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

export const randomMatrix = (next: () => number, rows: number, cols: number): Plain => plain(rows, cols, () => next());

/** A positive definite matrix that is far from a multiple of the identity. */
export function covariance(next: () => number, d: number): Plain {
  const root = plain(d, 2 * d, (i) => next() * 3 ** -(i % 5));
  return sum(
    scaled(1 / (2 * d), product(root, transposed(root))),
    plain(d, d, (i, j) => (i === j ? 1e-3 : 0)),
  );
}

export async function editorFor(
  c: Plain,
  valueWidth: number,
  options: Omit<LayerEditorOptions, "valueWidth"> = {},
): Promise<LayerEditor> {
  return LayerEditor.create(await KeySpace.fromCovariance(c), { valueWidth, ...options });
}

export async function driftOf(editor: LayerEditor): Promise<Float64Array> {
  using drift = await editor.drift();
  return drift.toFloat64Array();
}

/** A matrix that the engine made, which is disposed of. */
export async function plainOf(made: Promise<Matrix>): Promise<Plain> {
  using matrix = await made;
  return { rows: matrix.rows, cols: matrix.cols, values: await matrix.toFloat64Array() };
}

export const deltaOf = (editor: LayerEditor): Promise<Plain> => plainOf(editor.delta());
