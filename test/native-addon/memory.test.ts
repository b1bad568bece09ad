// Native memory in JavaScript's hands: what is shared, what is copied, and who may free it when.

import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual, promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { KeySpace, LayerEditor, Matrix } from "../../src/engine.js";
import { expectRejection, expectThrow } from "../support/errors.js";
import { ENGINE } from "../support/in-worker.js";
import { temporaryDirectory } from "../support/temporary.js";

const run = promisify(execFile);
const ADDON = fileURLToPath(new URL("../../build/Release/lyaplock.node", import.meta.url));

/** Runs `body` with the engine and `collect` in a process of its own, and returns what it returns. */
async function inProcess(body: string, { args = [] as string[], env = {} as NodeJS.ProcessEnv } = {}) {
  const script = `
    import { isDeepStrictEqual } from "node:util";
    import { KeySpace, LayerEditor, Matrix } from ${JSON.stringify(ENGINE)};
    // Finalizers of buffers run in the turns after a collection.
    const collect = async () => { for (let i = 0; i < 5; i++) { gc(); await new Promise(setImmediate); } };
    const result = await (async () => { ${body} })();
    console.log(JSON.stringify(result));
  `;
  const flags = ["--expose-gc", ...args, "--input-type=module", "--eval", script];
  const { stdout } = await run(process.execPath, flags, { env: { ...process.env, ...env } });
  return JSON.parse(stdout);
}

const sine = (count: number) => Float64Array.from({ length: count }, (_, i) => Math.sin(i));
const COVARIANCE = { rows: 4, cols: 4, values: Float64Array.of(2, 1, 0, 0, 1, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 4) };

describe("a view", () => {
  it.each(["float32", "float64"] as const)(
    "of a new %s matrix is zero, and writing it writes the matrix",
    async (type) => {
      const dirty = await Matrix.allocate(5, 4, type);
      dirty.view().fill(7);
      dirty.dispose();
      using keys = await Matrix.allocate(5, 4, type);
      expect([keys.rows, keys.cols, keys.type]).toEqual([5, 4, type]);
      const view = keys.view();
      expect(view).toBeInstanceOf(type === "float32" ? Float32Array : Float64Array);
      expect([...view]).toEqual(Array(20).fill(0));

      view.set(sine(20));
      const values = Float64Array.from(view);
      expect(await keys.toFloat64Array()).toEqual(values);
      const space = await KeySpace.fromCovariance(COVARIANCE);
      using whitened = await space.whiten(keys);
      using expected = await space.whiten({ values, rows: 5, cols: 4 });
      expect(whitened.view()).toEqual(expected.view());
      expect(whitened.view().some((x) => x !== 0)).toBe(true);
    },
  );

  it("reads results in place", async () => {
    const editor = await LayerEditor.create(await KeySpace.fromCovariance(COVARIANCE), { valueWidth: 3 });
    const keys = { values: sine(8), rows: 2, cols: 4 };
    await editor.update({ keys, residuals: { values: sine(6), rows: 2, cols: 3 }, weight: 1 });
    using drift = await editor.drift();
    expect(drift.view()).toEqual(await drift.toFloat64Array());
    drift.view()[0] = 9; // which nobody should, but it shows whose memory it is
    expect((await drift.toFloat64Array())[0]).toBe(9);
  });

  it("of nothing is empty, and of a disposed matrix is refused", async () => {
    const none = await Matrix.allocate(0, 4, "float32");
    expect(none.view()).toEqual(new Float32Array(0));
    none.dispose();
    expectThrow(() => none.view(), "ERR_INVALID_ARGUMENT", "disposed");
    await expectRejection(Matrix.allocate(1, 1, "float16" as "float32"), "ERR_INVALID_ARGUMENT", "float16");
    await expectRejection(Matrix.allocate(-1, 1, "float32"), "ERR_INVALID_ARGUMENT", "rows");
    await expectRejection(Matrix.allocate(2 ** 40, 2 ** 40, "float32"), "ERR_OUT_OF_MEMORY");
  });

  it("outlives its matrix, disposed of and collected", async () => {
    const sums = await inProcess(`
      const views = [];
      for (let i = 0; i < 20; i++) {
        const matrix = await Matrix.allocate(64, 64, "float64");
        matrix.view().fill(i);
        views.push(matrix.view());
        if (i % 2 === 0) matrix.dispose();
      }
      await collect();
      for (let i = 0; i < 20; i++) (await Matrix.allocate(64, 64, "float64")).view().fill(-1);
      return views.map((view) => view.reduce((sum, x) => sum + x, 0) / 4096);
    `);
    expect(sums).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  it("may be detached while native code reads its memory", async () => {
    const same = await inProcess(
      `
      const values = Float64Array.from({ length: 600 * 400 }, (_, i) => Math.sin(i));
      const covariance = { rows: 400, cols: 400, values: Float64Array.from({ length: 160000 }, (_, i) => (i % 401 ? 0 : 2)) };
      const space = await KeySpace.fromCovariance(covariance);
      const expected = await (await space.whiten({ values, rows: 600, cols: 400 })).toFloat64Array();
      const outcomes = [];
      for (let i = 0; i < 10; i++) {
        const keys = await Matrix.allocate(600, 400, "float64");
        const view = keys.view();
        view.set(values);
        const work = space.whiten(keys);
        const taken = view.buffer.transfer();
        keys.dispose();
        await collect();
        const whitened = await (await work).toFloat64Array();
        outcomes.push(view.length === 0 && taken.byteLength === values.byteLength && isDeepStrictEqual(whitened, expected));
      }
      return outcomes;
      `,
      // Standard from Node 22 on.
      { args: process.versions.node.startsWith("20.") ? ["--harmony-rab-gsab-transfer"] : [] },
    );
    expect(same).toEqual(Array(10).fill(true));
  });

  // A sanitizer holds back what is freed.
  it.skipIf(process.env.LYAPLOCK_ADDON)("and its matrix are freed by the collector", async () => {
    const megabytes = await inProcess(`
      const resident = () => process.memoryUsage().rss / 2 ** 20;
      const round = async (count) => {
        for (let i = 0; i < count; i++) {
          const matrix = await Matrix.allocate(512, 1024, "float64"); // 4 MiB
          matrix.view().fill(i);
          if (i % 3 === 0) await matrix.toFloat64Array();
          if (i % 3 === 1) matrix.dispose();
        }
        await collect();
      };
      await round(50);
      const before = resident();
      await round(300);
      return { grown: resident() - before, peak: process.resourceUsage().maxRSS / 1024 };
    `);
    expect(megabytes.grown).toBeLessThan(100);
    expect(megabytes.peak, "the collector knows of the memory without being asked").toBeLessThan(600);
  });

  it.skipIf(process.env.LYAPLOCK_ADDON)("or a result is not left behind by a worker that is terminated", async () => {
    const worker = `
      import { parentPort } from "node:worker_threads";
      import { Matrix } from ${JSON.stringify(ENGINE)};
      const work = async () => { for (;;) (await Matrix.allocate(1024, 1024, "float64")).dispose(); }; // 8 MiB each
      for (let i = 0; i < 4; i++) work();
      parentPort.postMessage("at work");
    `;
    const grown = await inProcess(`
      const { Worker } = await import("node:worker_threads");
      const url = new URL("data:text/javascript," + encodeURIComponent(${JSON.stringify(worker)}));
      const terminate = async (count) => {
        for (let i = 0; i < count; i++) {
          const worker = new Worker(url);
          await new Promise((resolve) => worker.once("message", resolve));
          await new Promise((resolve) => setTimeout(resolve, 20));
          await worker.terminate();
        }
      };
      await terminate(5);
      const before = process.memoryUsage.rss();
      await terminate(25);
      return (process.memoryUsage.rss() - before) / 2 ** 20;
    `);
    expect(grown).toBeLessThan(100); // one result of each is 200
  });

  it.runIf(process.platform === "linux")(
    "is refused, and results are copied, where Node allows no external memory",
    async () => {
      // A copy of the addon that asks another function than Node's, which answers as Electron's does.
      const folder = await temporaryDirectory();
      const [addon, source, library] = ["lyaplock.node", "refuse.c", "librefuse.so"].map((name) => join(folder, name));
      const binary = (await readFile(ADDON)).toString("latin1");
      const patched = binary.replaceAll("\0napi_create_external_arraybuffer\0", "\0deny_create_external_arraybuffer\0");
      expect(patched).not.toBe(binary);
      await writeFile(addon!, patched, "latin1");
      await writeFile(
        source!,
        "int deny_create_external_arraybuffer(void) { return 22; } // napi_no_external_buffers_allowed\n",
      );
      await run("cc", ["-shared", "-fPIC", source!, "-o", library!]);

      const [code, read, large] = await inProcess(
        `
      const matrix = await Matrix.from({ values: Float64Array.of(1, 2, 3), rows: 1, cols: 3 });
      let code;
      try { matrix.view(); } catch (error) { code = error.code; }
      const many = new Float32Array(2 ** 20).fill(2.5);
      const copied = await (await Matrix.from({ values: many, rows: 1, cols: many.length })).toFloat32Array();
      return [code, [...await matrix.toFloat64Array()], isDeepStrictEqual(copied, many)];
      `,
        { env: { LYAPLOCK_ADDON: addon, LD_PRELOAD: library } },
      );
      expect(code).toBe("ERR_UNSUPPORTED");
      expect(read).toEqual([1, 2, 3]);
      expect(large).toBe(true);
    },
  );
});

describe("a typed array", () => {
  it("may lie in shared memory: it is copied", async () => {
    const values = new Float64Array(new SharedArrayBuffer(48));
    values.set(sine(6));
    using matrix = await Matrix.from({ values, rows: 2, cols: 3 });
    values[0] = 99;
    expect(await matrix.toFloat64Array()).toEqual(sine(6));
  });

  it.each([Float32Array, Float64Array])("of many elements is copied in pieces (%o)", async (ArrayType) => {
    const values = ArrayType.from(sine(3 * 2 ** 19 + 5)); // three pieces and a rest
    using matrix = await Matrix.from({ values, rows: 1, cols: values.length });
    expect(matrix.type).toBe(ArrayType === Float32Array ? "float32" : "float64");
    expect(isDeepStrictEqual(matrix.view(), values)).toBe(true);

    const work = Matrix.from({ values, rows: 1, cols: values.length });
    structuredClone(values, { transfer: [values.buffer] });
    await expectRejection(work, "ERR_INVALID_ARGUMENT", "detached");
  });

  it("that is detached already does not have the shape it should", async () => {
    const values = new Float32Array(6);
    structuredClone(values, { transfer: [values.buffer] });
    await expectRejection(Matrix.from({ values, rows: 2, cols: 3 }), "ERR_SHAPE", "0");
  });
});
