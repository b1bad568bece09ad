// One thread of the soak: sessions of random size, one after the other, until it is terminated.

import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { KeySpace, LayerEditor, Matrix, MomentAccumulator } from "../../dist/engine.js";

let state = workerData.seed >>> 0;
/** In [0, 1). */
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const between = (low, high) => low + Math.floor(random() * (high - low + 1));

/** Values of JavaScript's, or native memory written in place. */
async function matrix(rows, cols) {
  const ArrayType = random() < 0.5 ? Float32Array : Float64Array;
  if (random() < 0.5) return { values: ArrayType.from({ length: rows * cols }, () => random() - 0.5), rows, cols };
  const native = await Matrix.allocate(rows, cols, ArrayType === Float32Array ? "float32" : "float64");
  const view = native.view();
  for (let i = 0; i < view.length; i++) view[i] = random() - 0.5;
  return native;
}

/** Half of all objects are disposed of, the others forgotten. */
function drop(...objects) {
  for (const object of objects) if (random() < 0.5) object.dispose?.();
}

/** A signal that fires at some moment, before the call, within it or after it; or never. */
function signal() {
  if (random() < 0.3) return undefined;
  if (random() < 0.1) return AbortSignal.abort();
  const controller = new AbortController();
  if (random() < 0.2) queueMicrotask(() => controller.abort());
  else setTimeout(() => controller.abort(), random() * 6);
  return controller.signal;
}

async function session() {
  const d = between(8, 192);
  const m = between(4, 96);
  let cancelled = 0;
  const moment = await MomentAccumulator.create(d);
  for (let i = between(1, 3); i > 0; i--) {
    const keys = await matrix(between(1, 256), d);
    await moment.add(keys);
    drop(keys);
  }
  const covariance = await moment.mean();
  const space = await KeySpace.fromCovariance(covariance, { ridge: 0.1 });
  const editor = await LayerEditor.create(space, { valueWidth: m });
  for (let i = between(1, 4); i > 0; i--) {
    const u = between(1, 64);
    const keys = await matrix(u, d);
    const residuals = await matrix(u, m);
    const form = [undefined, "dual", "primal"][between(0, 2)];
    try {
      await editor.update({ keys, residuals, weight: 1 + random(), form, signal: signal() });
    } catch (error) {
      if (error.code !== "ERR_ABORTED") throw error;
      cancelled++;
    }
    drop(keys, residuals);
  }
  const drift = await editor.drift();
  const whitened = await space.whiten(drift);
  if (whitened.view().length !== (await whitened.toFloat32Array()).length) throw new Error("a view of another length");
  if (random() < 0.3) {
    const keys = await Matrix.allocate(16, d, "float64");
    const residuals = await Matrix.allocate(16, m, "float64");
    const last = editor.update({ keys, residuals, weight: 1 });
    await Promise.resolve(); // the update has them now
    drop(editor, space, keys, residuals);
    await last;
  }
  drop(moment, covariance, space, editor, drift, whitened);
  return { cancelled, drift };
}

const kept = [];
for (let count = 0; ; count++) {
  const { cancelled, drift } = await session();
  if (workerData.leak)
    kept.push(drift, await Matrix.from({ values: new Float64Array(65536).fill(1), rows: 256, cols: 256 }));
  parentPort.postMessage({ cancelled });
  if (count % 20 === 0) {
    globalThis.gc();
    await sleep(0);
  }
}
