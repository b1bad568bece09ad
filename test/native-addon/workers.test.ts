// The engine in worker threads, several at once; nothing here measures time, so that it runs under sanitizers too.

import { describe, expect, it } from "vitest";
import { KeySpace, LayerEditor, Matrix, MomentAccumulator, type MomentState } from "../../src/engine.js";
import { expectWithin, relativeError } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { inWorker } from "../support/in-worker.js";

/** From keys to a drift, by way of every class of the engine. */
async function edit(engine: {
  KeySpace: typeof KeySpace;
  LayerEditor: typeof LayerEditor;
  MomentAccumulator: typeof MomentAccumulator;
}) {
  const [d, m, u] = [96, 40, 24];
  const matrix = (rows: number, cols: number, seed: number) => ({
    rows,
    cols,
    values: Float64Array.from({ length: rows * cols }, (_, i) => Math.sin(seed + i * i)),
  });
  const moment = await engine.MomentAccumulator.create(d);
  for (let i = 0; i < 3; i++) await moment.add(matrix(300, d, i));
  const space = await engine.KeySpace.fromCovariance(await moment.mean(), { ridge: 0.01 });
  const editor = await engine.LayerEditor.create(space, { valueWidth: m });
  const reports = [];
  for (let i = 0; i < 4; i++)
    reports.push(await editor.update({ keys: matrix(u, d, 5 + i), residuals: matrix(u, m, i), weight: 2 + i }));
  return { reports, drift: await (await editor.drift()).toFloat64Array() };
}

/** An update that takes a while. */
const LONG_UPDATE = `
  const d = 768, m = 64, u = 600;
  const covariance = { rows: d, cols: d, values: Float64Array.from({ length: d * d }, (_, i) => (i % (d + 1) ? 0 : 2)) };
  const matrix = (rows, cols) => ({ rows, cols, values: Float64Array.from({ length: rows * cols }, (_, i) => Math.sin(i * i)) });
  const space = await KeySpace.fromCovariance(covariance);
  const editor = await LayerEditor.create(space, { valueWidth: m });
  const keys = await Matrix.from(matrix(u, d)), residuals = await Matrix.from(matrix(u, m));
  const update = (options) => editor.update({ keys, residuals, weight: 3, form: "primal", ...options });
`;

describe("worker threads", () => {
  it("compute at once, each the bits of the main thread", async () => {
    const expected = await edit({ KeySpace, LayerEditor, MomentAccumulator });
    expect(expected.drift.some((x) => x !== 0)).toBe(true);
    const body = `parentPort.postMessage(await (${edit})({ KeySpace, LayerEditor, MomentAccumulator }));`;
    const results = await Promise.all(Array.from({ length: 4 }, () => inWorker(body).result));
    for (const result of results) expect(result).toEqual(expected);
  });

  it("gather shards of a second moment, which come together here", async () => {
    const [rows, cols] = [500, 3];
    const shard = (begin: number) => `
      const at = (_, i) => Math.sin(i + ${cols * begin});
      const moment = await MomentAccumulator.create(${cols});
      await moment.add({ rows: ${rows}, cols: ${cols}, values: Float64Array.from({ length: ${rows * cols} }, at) });
      const { sum, ...rest } = await moment.export();
      parentPort.postMessage({ ...rest, sum: { values: await sum.toFloat64Array(), rows: ${cols}, cols: ${cols} } });
    `;
    const total = await MomentAccumulator.create(cols);
    for (const { result } of [0, rows, 2 * rows].map((begin) => inWorker(shard(begin)))) {
      await total.merge(await MomentAccumulator.import((await result) as MomentState));
    }
    const whole = await MomentAccumulator.create(cols);
    const values = Float64Array.from({ length: 3 * rows * cols }, (_, i) => Math.sin(i));
    await whole.add({ rows: 3 * rows, cols, values });
    expect(total.count).toBe(3 * rows);
    const [actual, expected] = await Promise.all([total, whole].map(async (of) => (await of.mean()).toFloat64Array()));
    expectWithin(relativeError(actual!, expected!), 1e-14);
  });

  it("may be terminated in the middle of an update", async () => {
    for (let i = 0; i < 3; i++) {
      const { worker, result } = inWorker(`${LONG_UPDATE}
        const under = update();
        await Promise.resolve();
        parentPort.postMessage("under way");
        await under;
      `);
      expect(await result).toBe("under way");
      await worker.terminate();
    }
    await edit({ KeySpace, LayerEditor, MomentAccumulator });
  });

  it("cancel an update under way and one that waits, and the editor is as if they had never been", async () => {
    const { result } = inWorker(`${LONG_UPDATE}
      const outcomes = [];
      for (let i = 0; i < 4; i++) {
        const controller = new AbortController();
        const both = [update({ signal: controller.signal }), update({ signal: controller.signal })];
        setTimeout(() => controller.abort(), i);
        outcomes.push(await Promise.all(both.map((work) => work.then(() => "finished", ({ code }) => code))));
      }
      parentPort.postMessage({ outcomes, facts: editor.facts });
    `);
    const { outcomes, facts } = (await result) as { outcomes: [string, string][]; facts: number };
    const all = outcomes.flat();
    expect(
      all.every((outcome) => ["finished", "ERR_ABORTED"].includes(outcome)),
      `${all}`,
    ).toBe(true);
    expect(outcomes.map(([, second]) => second)).toContain("ERR_ABORTED");
    expect(facts).toBe(600 * all.filter((outcome) => outcome === "finished").length);
  });

  it("dispose of everything in the middle of an update, which ends as if they had not", async () => {
    const { result } = inWorker(`${LONG_UPDATE}
      const expected = await update();
      const other = await LayerEditor.create(space, { valueWidth: m });
      const under = other.update({ keys, residuals, weight: 3, form: "primal" });
      await Promise.resolve();
      for (const object of [other, space, keys, residuals]) object.dispose();
      parentPort.postMessage([expected, await under]);
    `);
    const [expected, disposed] = (await result) as [unknown, unknown];
    expect(disposed).toEqual(expected);
  });

  it("cannot use each other's handles", async () => {
    const { result } = inWorker(`
      const space = await KeySpace.fromCovariance({ rows: 1, cols: 1, values: Float64Array.of(2) });
      parentPort.postMessage({ space, matrix: await Matrix.allocate(1, 1, "float32") });
    `);
    // What arrives are empty objects: their native sides stayed behind.
    const { space, matrix } = (await result) as { space: KeySpace; matrix: Matrix };
    await expectRejection(LayerEditor.create(space, { valueWidth: 1 }), "ERR_INVALID_ARGUMENT", "key space");
    const own = await KeySpace.fromCovariance({ rows: 1, cols: 1, values: Float64Array.of(2) });
    await expectRejection(own.whiten(matrix), "ERR_INVALID_ARGUMENT");
    await expectRejection(own.whiten(new Matrix(matrix.native)), "ERR_INVALID_ARGUMENT", "matrix");
  });
});
