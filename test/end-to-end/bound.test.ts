import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { LayerReport } from "../../src/edit/report.js";
import { temporaryDirectory } from "../support/temporary.js";
import { lyaplock } from "./command.js";

it("run --bound each-batch keeps the loss of every layer at or under its threshold after every batch", async () => {
  const out = join(await temporaryDirectory(), "run");
  const editing = ["--model", "builtin:atlas", "--dataset", "atlas", "--edits", "12", "--batch", "4", "--alpha", "1.2"];
  const { code, stdout, stderr } = await lyaplock(["run", ...editing, "--bound", "each-batch", "--out", out]);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stdout).toContain("held at its threshold by the weight");
  expect(stdout).toContain("the loss of every layer ended at or under its threshold");

  const lines = (await readFile(join(out, "batches.jsonl"), "utf8")).trimEnd().split("\n");
  const batches = lines.map((line) => JSON.parse(line).layers as LayerReport[]);
  expect(batches).toHaveLength(3);
  for (const [layer, { weight: least, threshold, baseLoss }] of batches[0]!.entries()) {
    expect(threshold).toBe(1.2 * baseLoss);
    const reports = batches.map((layers) => layers[layer]!);
    for (const report of reports) {
      expect(report).toMatchObject({ threshold, baseLoss, queue: null });
      expect(report.preservationLoss).toBeLessThanOrEqual(threshold!);
      const isHeld = report.weight! > least!;
      if (isHeld) expect(report.preservationLoss).toBeGreaterThan(0.999 * threshold!);
    }
    // With λ alone it would not have been kept: the bound is what holds it.
    expect(reports.at(-1)!.weight).toBeGreaterThan(1.5 * least!);
  }
}, 300_000);

it("refuses to bound each batch of what has no such bound", async () => {
  const run = ["run", "--model", "builtin:atlas", "--dataset", "atlas", "--bound", "each-batch"];
  for (const other of [
    ["--method", "memit"],
    ["--base", "rect"],
  ]) {
    const out = join(await temporaryDirectory(), "run");
    const { code, stderr } = await lyaplock([...run, ...other, "--out", out]);
    expect(code).toBe(1);
    expect(stderr).toContain(other[1]);
    expect(stderr).toContain("bound");
  }
});
