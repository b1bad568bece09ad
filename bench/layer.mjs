// The layers that benchmarks edit: random ones, of the shapes of the paper's models.

import { KeySpace, Matrix, MomentAccumulator } from "../dist/engine.js";

/** Edited MLP matrices of the paper's three models: d is the width of a key, m that of a value. */
const SHAPES = [
  { model: "GPT2-XL", d: 6400, m: 1600 },
  { model: "GPT-J", d: 16384, m: 4096 },
  { model: "LLaMA-3-8B", d: 14336, m: 4096 },
];

/** The shapes with d and m divided by the scale, those of the two larger models by one of their own. */
export const shapesAt = (scale, largerScale = scale) =>
  SHAPES.map(({ model, d, m }, index) => {
    const own = index === 0 ? scale : largerScale;
    return { model, d: scaledDown(d, own), m: scaledDown(m, own), scale: own };
  });

/** Facts and batches shrink with the shape, so that n / d stays. */
export const scaledDown = (count, scale) => Math.max(1, Math.round(count / scale));

export const shapeName = ({ model, scale }) => (scale === 1 ? model : `${model} / ${scale}`);

/**
 * λ = 0.015 d, 96 at GPT2-XL's width: these keys are further apart than those of real facts, and with the paper's λ of 1000
 * the virtual queue would stay at its floor until the last few of 60 batches.
 */
export const covarianceWeightOf = ({ d }) => 0.015 * d;

/**
 * A layer whose keys have neurons of unequal size (variances over four decades) and a few directions that all of them share,
 * as activations do: C has a decaying spectrum with a condition number of 1e4 to 1e6. C is the second moment of 2 d such
 * keys (8192 at most) with a ridge of 1e-5 of its mean diagonal.
 *
 * @returns {Promise<{ keySpace: KeySpace, covariance: Matrix, keys, residuals }>} keySpace holds the ridge, covariance
 *   [d, d] does not; keys(n) and residuals(n) draw n new ones, Float64Array [n, d] and [n, m].
 */
export async function createLayer({ d, m }) {
  const random = generator(7);
  const keys = keySource(d, random);
  const moment = await MomentAccumulator.create(d);
  const block = 256;
  for (let count = 0; count < Math.min(2 * d, 8192); count += block) {
    await moment.add({ values: keys(block), rows: block, cols: d });
  }
  const covariance = await moment.mean();
  moment.dispose();
  return {
    keySpace: await KeySpace.fromCovariance(covariance, { ridge: 1e-5 }),
    covariance,
    keys,
    residuals: (count) => Float64Array.from({ length: count * m }, random),
  };
}

/** The same numbers as native matrices, for calls that are timed. */
export async function toNative({ keys, residuals }, { d, m }) {
  return {
    keys: await Matrix.from({ values: keys, rows: keys.length / d, cols: d }),
    residuals: await Matrix.from({ values: residuals, rows: residuals.length / m, cols: m }),
  };
}

export function dispose({ keys, residuals }) {
  keys.dispose();
  residuals.dispose();
}

/** Uniform in [-1, 1) (mulberry32): the same numbers on every machine. */
export function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

function keySource(d, random) {
  const shared = 8;
  const size = Float64Array.from({ length: d }, () => 10 ** random());
  const loadings = Float64Array.from({ length: d * shared }, () => 0.2 * random());
  const common = new Float64Array(shared);
  return (count) => {
    const values = new Float64Array(count * d);
    for (let i = 0; i < count; i++) {
      for (let f = 0; f < shared; f++) common[f] = random();
      for (let j = 0; j < d; j++) {
        let value = random();
        for (let f = 0; f < shared; f++) value += loadings[j * shared + f] * common[f];
        values[i * d + j] = size[j] * value;
      }
    }
    return values;
  };
}
