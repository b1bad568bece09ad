// The width of GPT2-XL. The speed to compare with is that of the backend's self-test, the product of two matrices, which no
// symmetric update exceeds. The rounds go through all cases one after the other, and each keeps its best: other work on a
// machine slows a round down, and all cases with it.

import { Matrix, MomentAccumulator } from "../dist/engine.js";
import { addon } from "../dist/native/index.js";

export const question = "At what part of the speed of matrix products are keys of width 6400 added to a second moment?";

const [d, n, few, rounds] = [6400, 8192, 128, 3];

export async function run() {
  const float32 = await keysOf(Float32Array);
  const float64 = await keysOf(Float64Array);
  const cases = [
    { precision: "float64", keys: float64, best: {} },
    { precision: "float64", keys: float32, best: {} },
    { precision: "float32", keys: float32, best: {} },
  ];
  const products = { float32: 0, float64: 0 };
  for (let round = 0; round < rounds; round++) {
    const { float32Gigaflops, float64Gigaflops } = await addon().selfTest();
    products.float32 = Math.max(products.float32, float32Gigaflops);
    products.float64 = Math.max(products.float64, float64Gigaflops);
    for (const { precision, keys, best } of cases) {
      const moment = await MomentAccumulator.create(d, { precision });
      await moment.add(keys.few);
      await moment.export();
      best.all = Math.max(best.all ?? 0, await rate(moment, keys.all, 1));
      best.few = Math.max(best.few ?? 0, await rate(moment, keys.few, n / few));
      moment.dispose();
    }
  }
  const share = (speed, precision) => `${speed.toFixed(0)} (${((100 * speed) / products[precision]).toFixed(0)} %)`;
  console.table(
    cases.map(({ precision, keys, best }) => ({
      precision,
      keys: keys.all.type,
      [`${n} keys a call, GFLOP/s`]: share(best.all, precision),
      [`${few} keys a call, GFLOP/s`]: share(best.few, precision),
      "products, GFLOP/s": products[precision].toFixed(0),
    })),
  );
}

async function keysOf(Type) {
  const values = Type.from({ length: n * d }, (_, i) => Math.sin(i));
  const first = (rows) => Matrix.from({ values: values.subarray(0, rows * d), rows, cols: d });
  return { all: await first(n), few: await first(few) };
}

/** Multiplications and additions of one triangle, in 10⁹ a second. */
async function rate(moment, keys, calls) {
  const begun = performance.now();
  for (let i = 0; i < calls; i++) await moment.add(keys);
  return (keys.rows * calls * d * (d + 1)) / (performance.now() - begun) / 1e6;
}
