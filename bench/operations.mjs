// Each operation of an update at the three shapes of the paper's models, as the engine does it and as one call of the
// same BLAS library on the library's own threads.

import { LayerEditor, Matrix, MomentAccumulator } from "../dist/engine.js";
import { addon } from "../dist/native/index.js";
import { covarianceWeightOf, createLayer, dispose, scaledDown, shapeName, shapesAt, toNative } from "./layer.mjs";
import { summarize } from "./statistics.mjs";
import { gigaflops, percent } from "./table.mjs";

export const question =
  "How much of the speed that the same BLAS library has by itself do the operations of an update reach, at three shapes?";

export const columns = [
  ["layer", (row) => row.layer],
  ["operation", (row) => row.operation],
  ["BLAS call", (row) => row.call],
  ["library, GFLOP/s", (row) => gigaflops(row.library)],
  ["of its gemm", (row) => percent(row.shareOfGemm)],
  ["ours, GFLOP/s", (row) => gigaflops(row.ours)],
  ["ours / library", (row) => percent(row.share)],
  ["spread", (row) => percent(row.spread)],
  ["bound by", (row) => row.bound],
];

export const notes = `
*Library* is one call of BLAS or LAPACK on the library's own threads, *ours* what the engine does: a call of its
backend, or where the operation begins with a capital letter the whole public call, checks of its input included. Both
are timed in turn, three times or more; the share is the median of the ratios of neighbours. *Of its gemm* holds the
library's call against the library's own product of square matrices of 1024 in the same precision: where it is low,
the shape itself is what limits, because a factorisation has a sequential part and thin matrices are packed for few
products.

The whole update is that of the last 100 of 3,000 facts with a changed weight, by the operations it counts itself;
beside it stands the product that gives the drift, its largest call.

*Bound by*: an operation that reads its operands and writes its result once does so many flops to a byte; times the
bytes a second of one thread that copies memory, measured in the same run, that is the most memory lets through. Below
the library's gemm it is memory that limits, above it arithmetic.
`;

// Tokens are whole blocks of either precision (native/edit/second_moment.cpp): fewer would wait, and cost nothing yet.
const [FACTS, BATCH, TOKENS] = [3000, 100, 4096];
/** The larger two take an hour and 10 GB as they are. */
const LARGER_SCALE = 4;

export async function run({ scale }) {
  const machine = await roofline();
  const rows = [];
  for (const shape of shapesAt(scale, Math.max(scale, LARGER_SCALE))) {
    for await (const operation of operationsOf(shape)) rows.push(await measure(operation, shape, machine));
  }
  return rows;
}

/**
 * What is measured: the BLAS call beside it, flops and compulsory bytes of it, and `work`, the engine's own call, where that
 * is more than the backend's. It returns its flops where they are other ones than the BLAS call's. What holds memory lives
 * between two yields only.
 */
async function* operationsOf(shape) {
  const { d, m, scale } = shape;
  const facts = scaledDown(FACTS, scale);
  const batch = scaledDown(BATCH, scale);
  for (const precision of ["float32", "float64"]) {
    const keys = await tokens(TOKENS, d, precision);
    const moment = await MomentAccumulator.create(d, { precision });
    yield {
      operation: `Moments of ${TOKENS} tokens, ${precision}`,
      problem: { operation: "syrk", precision, rows: d, inner: TOKENS },
      work: () => moment.add(keys),
    };
    moment.dispose();
    keys.dispose();
  }
  const double = (operation, sizes) => ({ operation, precision: "float64", ...sizes });
  yield { operation: "factor of C", problem: double("potrf", { rows: d }) };
  yield { operation: `factor of ${facts} facts`, problem: double("potrf", { rows: facts }) };
  yield { operation: `solve for ${facts} facts, half`, problem: double("trsm", { rows: m, columns: facts }) };
  yield { operation: `Gram of ${batch} new keys`, problem: double("gemm", { rows: batch, columns: facts, inner: d }) };
  yield { operation: "product for the drift", problem: double("gemm", { rows: m, columns: d, inner: facts }) };

  const layer = await createLayer(shape);
  layer.covariance.dispose();
  const thin = double("trsm", { rows: batch, columns: d });
  const keys = await tokens(batch, d, "float64");
  const passes = { Whiten: () => layer.keySpace.whiten(keys), Lift: () => layer.keySpace.lift(keys) };
  for (const [name, pass] of Object.entries(passes)) {
    yield { operation: `${name} ${batch} new keys`, problem: thin, work: async () => (await pass()).dispose() };
  }
  keys.dispose();

  const editor = await LayerEditor.create(layer.keySpace, { valueWidth: m });
  let weight = covarianceWeightOf(shape);
  const update = async (count) => {
    const native = await toNative({ keys: layer.keys(count), residuals: layer.residuals(count) }, shape);
    weight *= 1.1;
    const begun = performance.now();
    const { flops } = await editor.update({ ...native, weight });
    (await editor.drift()).dispose();
    const seconds = (performance.now() - begun) / 1000;
    dispose(native);
    return { flops, seconds };
  };
  await update(facts - batch);
  yield {
    operation: `Update by ${batch} facts to ${facts}`,
    problem: double("gemm", { rows: m, columns: d, inner: facts }),
    work: () => update(batch),
  };
  editor.dispose();
  layer.keySpace.dispose();
}

async function tokens(rows, cols, precision) {
  const values = precision === "float32" ? new Float32Array(rows * cols) : new Float64Array(rows * cols);
  for (let i = 0; i < values.length; i++) values[i] = ((i * 2654435761) % 4096) / 2048 - 1;
  return Matrix.from({ values, rows, cols });
}

/** The library's product, its call and ours in turn, three times at least and for some seconds. */
async function measure({ operation, problem, work }, shape, machine) {
  const samples = [];
  const begun = performance.now();
  while (samples.length < 3 || (samples.length < 9 && performance.now() - begun < 4000)) {
    const gemm = await librarysGemm(problem.precision);
    const { library, ours, flops } = await addon().measureBlas(problem);
    const speed = work === undefined ? flops / ours : await speedOf(work, flops);
    samples.push({ gemm, library: flops / library / 1e9, ours: speed / 1e9 });
  }
  const median = (of) => summarize(samples.map(of)).median;
  const { median: share, spread } = summarize(samples.map(({ library, ours }) => ours / library));
  return {
    layer: shapeName(shape),
    operation,
    call: callOf(problem),
    library: median((one) => one.library),
    shareOfGemm: median((one) => one.library / one.gemm),
    ours: median((one) => one.ours),
    share,
    spread,
    samples: samples.length,
    bound: boundOf(problem, machine),
  };
}

/** Flops a second of a call of the engine. */
async function speedOf(work, flops) {
  const begun = performance.now();
  const own = await work();
  return (own?.flops ?? flops) / (own?.seconds ?? (performance.now() - begun) / 1000);
}

const callOf = ({ operation, precision, rows, columns, inner }) =>
  `${precision === "float32" ? "s" : "d"}${operation} ${[rows, columns, inner].filter((size) => size !== undefined).join(" × ")}`;

function boundOf(problem, { gemm, bytesPerSecond }) {
  const { rows, columns, inner, precision } = problem;
  const size = precision === "float32" ? 4 : 8;
  // Of symmetric and triangular matrices one triangle; a result that is also read counts twice.
  const [flops, elements] = {
    gemm: () => [2 * rows * columns * inner, rows * inner + columns * inner + rows * columns],
    syrk: () => [rows ** 2 * inner, rows * inner + rows ** 2],
    potrf: () => [rows ** 3 / 3, rows ** 2],
    trsm: () => [rows * columns ** 2, columns ** 2 / 2 + 2 * rows * columns],
  }[problem.operation]();
  const intensity = flops / (size * elements);
  const limit = (intensity * bytesPerSecond) / 1e9 < gemm[precision] ? "memory" : "arithmetic";
  return `${limit}, ${intensity.toFixed(intensity < 10 ? 1 : 0)} flops/byte`;
}

/** What this machine can do: the library's product in either precision, GFLOP/s, and bytes a second of a copying thread. */
async function roofline() {
  const gemm = { float32: await librarysGemm("float32"), float64: await librarysGemm("float64") };
  const source = new Float64Array(2 ** 25).fill(1);
  const target = new Float64Array(2 ** 25).fill(2);
  const samples = [];
  for (let i = 0; i < 5; i++) {
    const begun = performance.now();
    target.set(source);
    samples.push((2 * source.byteLength) / ((performance.now() - begun) / 1000));
  }
  return { gemm, bytesPerSecond: summarize(samples).median };
}

/** GFLOP/s of the library's product of square matrices. */
async function librarysGemm(precision) {
  const size = 1024;
  const problem = { operation: "gemm", precision, rows: size, columns: size, inner: size };
  const { library, flops } = await addon().measureBlas(problem);
  return flops / library / 1e9;
}
