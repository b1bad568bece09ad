// The addon as a service uses it: from worker threads, several at once, with work under way when they end.

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { describe, expect, it } from "vitest";
import { addon, call } from "../../src/native/index.js";
import { expectWithin } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { fixtureEditor, fixtureRun } from "../support/fixture-run.js";
import { ENGINE, inWorker } from "../support/in-worker.js";
import { tinyModel } from "../support/model.js";

describe("the addon", () => {
  it("survives a worker that is terminated in the middle of its work", async () => {
    const { worker, result } = inWorker(`
      const moment = await MomentAccumulator.create(512);
      const keys = { rows: 4096, cols: 512, values: new Float32Array(4096 * 512).fill(1) };
      for (let i = 0; i < 50; i++) moment.add(keys);
      parentPort.postMessage("under way");
    `);
    expect(await result).toBe("under way");
    await worker.terminate();
    expect((await call(() => addon().selfTest())).productError).toBeLessThan(1e-5);
  });

  it("survives workers that are terminated while results come back to them", async () => {
    // An exception that a terminated worker no longer took ended the process in one of some ten terminations.
    const script = `
      import { Worker } from "node:worker_threads";
      const body = \`
        import { Matrix } from ${JSON.stringify(ENGINE)};
        import { parentPort } from "node:worker_threads";
        const work = async () => { for (;;) (await Matrix.allocate(1, 1, "float64")).view(); };
        for (let i = 0; i < 8; i++) work();
        parentPort.postMessage("at work");
      \`;
      for (let i = 0; i < 20; i++) {
        const worker = new Worker(new URL("data:text/javascript," + encodeURIComponent(body)));
        await new Promise((resolve) => worker.once("message", resolve));
        await new Promise((resolve) => setTimeout(resolve, i % 4));
        await worker.terminate();
      }
    `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "ignore" });
    expect(await new Promise((resolve) => child.on("close", (code, signal) => resolve(code ?? signal)))).toBe(0);
  });

  it("lets a process exit in the middle of its work", async () => {
    const script = `
      import { MomentAccumulator } from ${JSON.stringify(ENGINE)};
      const moment = await MomentAccumulator.create(256);
      const keys = { rows: 1024, cols: 256, values: new Float32Array(1024 * 256).fill(1) };
      for (let i = 0; i < 20; i++) moment.add(keys);
      setTimeout(() => process.exit(7), 2);
    `;
    const exit = () =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "ignore" });
        child.on("close", (code, signal) => resolve(code ?? signal));
      });
    for (let i = 0; i < 25; i++) expect(await exit()).toBe(7);
  });

  it("leaves libuv's threads to files and sockets", async () => {
    const heavy = Array.from({ length: 4 }, () => call(() => addon().selfTest()));
    let finished = false;
    const all = Promise.all(heavy).then(() => {
      finished = true;
    });
    for (let i = 0; i < 5; i++) await readFile(new URL(import.meta.url));
    expect(finished, "files were read while the addon was at work").toBe(false);
    await all;
  });

  it("holds JavaScript's thread for less than a millisecond a call", async () => {
    const spent: number[] = [];
    for (let i = 0; i < 20; i++) {
      const begun = performance.now();
      const work = addon().createSecondMoment(2048, "float64");
      spent.push(performance.now() - begun);
      (await work).dispose();
    }
    spent.sort((a, b) => a - b);
    // The median: the machine may take the processor away from any one call.
    expect(spent[10]).toBeLessThan(1);
  });
});

describe("an abort", () => {
  it("ends value optimisation soon, and leaves model and editor fit for the next batch", async () => {
    const model = await tinyModel("tiny-llama");
    const { facts, hyperparameters } = fixtureRun("tiny-llama");
    const editor = await fixtureEditor(model, "tiny-llama");
    const many = Array.from({ length: 40 }, () => facts).flat();
    const before = await Promise.all(hyperparameters.layers.map((layer) => model.native.weightChange(layer)));

    const controller = new AbortController();
    const work = editor.editBatch(many, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expectRejection(work, "ERR_ABORTED");
    expect(await Promise.all(hyperparameters.layers.map((layer) => model.native.weightChange(layer)))).toEqual(before);

    const report = await editor.editBatch(facts.slice(0, 4));
    expect(report).toMatchObject({ batch: 1, edits: 4 });
  });
});

describe("a batch that fails at its second layer", () => {
  it("leaves the weights as they were, and the editor says that it cannot go on", async () => {
    const model = await tinyModel("tiny-llama");
    const { facts, hyperparameters } = fixtureRun("tiny-llama");
    const editor = await fixtureEditor(model, "tiny-llama");
    await editor.editBatch(facts.slice(0, 4));
    const before = await Promise.all(hyperparameters.layers.map((layer) => model.native.weightChange(layer)));
    const setDrift = model.native.setDrift.bind(model.native);
    const failing: typeof setDrift = (layer, drift) =>
      layer === hyperparameters.layers[1] ? Promise.reject(new Error("no more")) : setDrift(layer, drift);
    Object.defineProperty(model.native, "setDrift", { value: failing });
    await expectRejection(editor.editBatch(facts.slice(4, 8)), "ERR_INTERNAL", "no more");
    expect(await Promise.all(hyperparameters.layers.map((layer) => model.native.weightChange(layer)))).toEqual(before);
    await expectRejection(editor.editBatch(facts.slice(4, 8)), "ERR_INVALID_ARGUMENT", "failed midway");
  });
});

describe("the event loop", () => {
  it("stays free during value optimisation", async () => {
    const model = await tinyModel("tiny-llama");
    const { facts } = fixtureRun("tiny-llama");
    const editor = await fixtureEditor(model, "tiny-llama");
    const many = Array.from({ length: 20 }, () => facts).flat();
    const delay = monitorEventLoopDelay({ resolution: 2 });
    delay.enable();
    await editor.editBatch(many);
    delay.disable();
    expectWithin(delay.percentile(99) / 1e6, 20, "milliseconds the loop was held, 99 of 100 times");
  });
});
