// The page of a comparison of full size: ten methods, 2,000 edits each (test/fixtures/report/README.md).

import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BatchLine } from "../../src/run/batch-line.js";
import type { EvaluationLine } from "../../src/run/evaluation-line.js";
import type { Summary } from "../../src/run/summary.js";
import { chromiumPath, startChromium } from "../support/browser.js";
import {
  expectAccessible,
  expectSelfContained,
  type ListedRow,
  listedData,
  listedRows,
  openFile,
} from "../support/report-page.js";
import { makeTemporaryDirectory } from "../support/temporary.js";
import { lyaplock } from "./command.js";

/** The runs by the labels that the page gives them. */
const runsOf = {
  FT: "atlas-ft",
  ROME: "atlas-rome",
  EMMET: "atlas-emmet",
  MEMIT: "atlas-memit",
  "MEMIT, sequential": "atlas-memit-sequential",
  PRUNE: "atlas-prune",
  RECT: "atlas-rect",
  AlphaEdit: "atlas-alphaedit",
  LyapLock: "atlas-lyaplock-alpha22",
  "LyapLock, each batch": "atlas-lyaplock-alpha22-each-batch",
};
const runs = Object.entries(runsOf);

const directory = await makeTemporaryDirectory();
const file = join(directory, "report.html");
const plots = join(directory, "plots");

/** Of the fixture: the contents of files by their names. */
const packed = new URL("../fixtures/report/atlas-methods.json.gz", import.meta.url);
const contents = JSON.parse(gunzipSync(await readFile(packed)).toString()) as Record<string, string>;

if (chromiumPath === undefined) console.warn("No Chromium was found (CHROMIUM can name one): the page is not tested.");

describe.skipIf(chromiumPath === undefined)("the page of ten methods with 2,000 edits each", () => {
  let browser: Browser;
  afterAll(() => browser?.close());

  beforeAll(async () => {
    browser = await startChromium();
    for (const [name, content] of Object.entries(contents)) {
      const path = join(directory, "runs", name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
    }
    const { code, stderr } = await lyaplock(["report", join(directory, "runs"), "--html", file, "--svg", plots]);
    expect(stderr + code).toBe("0");
  });

  it("asks for nothing but itself, and is of a size that can be sent", async () => {
    const opened = await openFile(browser, file);
    await expectSelfContained(opened, file);
    expect(await opened.page.locator("h1").textContent()).toBe("lyaplock: 10 runs");
    expect((await stat(file)).size).toBeLessThan(2 * 2 ** 20);
  });

  it("lists the losses, thresholds, queues and weights of all 20 batches of every method", async () => {
    const { page } = await openFile(browser, file);
    for (const [id, measure] of [
      ["preservation-loss", "preservationLoss"],
      ["queue", "queue"],
      ["weight", "weight"],
      ["update-norm", "updateNorm"],
      ["residual-norm", "residualNorm"],
    ] as const) {
      const listed = await listedData(page, id);
      let compared = 0;
      for (const [label, run] of runs) {
        const measured = layerPoints(run, measure);
        expect(column(listed, label, "layer", "facts edited"), `${id} of ${label}`).toEqual(measured);
        compared += measured.length;
      }
      expect(compared).toBeGreaterThan(39);
    }
    const losses = await listedData(page, "preservation-loss");
    expect(losses).toHaveLength(2 * 20);
    for (const label of ["LyapLock", "LyapLock, each batch"] as const) {
      const thresholds = column(losses, `${label}: threshold`, "layer", "facts edited");
      expect(thresholds).toHaveLength(40);
      expect(thresholds).toEqual(layerPoints(runsOf[label], "threshold"));
    }
  });

  it("lists what was measured of the edits and of other knowledge", async () => {
    const { page } = await openFile(browser, file);
    const [knowledge, metrics, byBatch] = [
      await listedData(page, "knowledge"),
      await listedData(page, "metrics"),
      await listedData(page, "by-batch"),
    ];
    for (const [label, run] of runs) {
      const lines = jsonLines<EvaluationLine>(run, "evaluations.jsonl");
      const known = lines.flatMap((line) => (line.kind === "knowledge" ? [[line.edits, line.accuracy.mean]] : []));
      expect(known).toHaveLength(11);
      expect(column(knowledge, label, "facts edited")).toEqual(known);
      for (const [name, which] of [
        ["all facts so far", "metrics"],
        ["first batch", "firstBatch"],
      ] as const) {
        const efficacy = lines.flatMap((line) =>
          line.kind === "metrics" ? [[line.edits, line[which].efficacy.mean]] : [],
        );
        expect(efficacy.map(([edits]) => edits)).toEqual([1000, 2000]);
        const listed = metrics.filter(({ measure }) => measure === `efficacy, ${name}`);
        expect(column(listed, label, "facts edited")).toEqual(efficacy);
      }
      const held = summaryOf(run).byBatch.map(({ batch, specificity }) => [batch * 100, specificity!.mean]);
      expect(held).toHaveLength(20);
      const listed = byBatch.filter(({ measure }) => measure === "specificity");
      expect(column(listed, label, "place of the facts in the run")).toEqual(held);
    }
  });

  it("has the paper's table, the last losses, and seconds, of summary.json", async () => {
    const { page } = await openFile(browser, file);
    const rows = (title: string) =>
      listedRows(page, `[aria-label="${title}"] tbody tr, [aria-label="${title}"] thead tr:last-child`);
    const metrics = await rows("2000 edits, in batches of 100");
    const losses = await rows("Preservation loss of each layer after the first and the last batch, and its threshold");
    const seconds = await rows("Seconds");
    expect(metrics.map(({ method }) => method)).toEqual(["unedited", ...Object.keys(runsOf)]);
    for (const [label, run] of runs) {
      const { after, layers, seconds: took } = summaryOf(run);
      expect(metrics.find(({ method }) => method === label)).toMatchObject({
        ...{ Eff: after.efficacy.mean, Gen: after.generalization!.mean, Spe: after.specificity!.mean },
      });
      expect(losses.filter(({ method }) => method === label)).toMatchObject(
        layers.map(({ layer, preservationLoss, threshold, queue }) => {
          return { layer, "last loss": preservationLoss, threshold, queue };
        }),
      );
      const { updates, values } = took;
      expect(seconds.find(({ method }) => method === label)).toMatchObject({ updates, values });
    }
  });

  it("shows what the models say before and after, and how each run is done again", async () => {
    const { page } = await openFile(browser, file);
    const text = await page.locator("body").innerText();
    for (const [, run] of runs) {
      const [study] = JSON.parse(contents[`${run}/case-study.json`]!) as { was: string; now: string }[];
      for (const said of [study!.was, study!.now])
        expect(text.replace(/\s+/g, " ")).toContain(said.replace(/\s+/g, " "));
      const command = await page
        .locator("h3", { hasText: new RegExp(`^${run}$`) })
        .locator("+ pre")
        .textContent();
      expect(command).toMatch(/^lyaplock run --model builtin:atlas --dataset atlas /);
      expect(command).toContain(`--out ${run}`);
    }
  });

  it("draws every run in every plot that it has data for, and no label leaves its plot", async () => {
    const { page } = await openFile(browser, file);
    const ids = await page.locator("figure").evaluateAll((all) => all.map(({ id }) => id));
    expect(ids).toEqual([
      ...["preservation-loss", "queue", "weight", "update-norm", "residual-norm"],
      ...["metrics", "by-batch", "knowledge", "seconds", "memory"],
    ]);
    const legends = await page.locator("#memory svg svg").first().locator("text").allTextContents();
    expect(legends.sort()).toEqual(Object.keys(runsOf).sort());
    const outside = await page.evaluate(`[...document.querySelectorAll("svg.plot")].flatMap((plot) => {
      const frame = plot.getBoundingClientRect();
      return [...plot.querySelectorAll("text")].filter((text) => {
        const { left, right, top, bottom } = text.getBoundingClientRect();
        return left < frame.left - 1 || right > frame.right + 1 || top < frame.top - 1 || bottom > frame.bottom + 1;
      }).map((text) => plot.id + text.textContent);
    })`);
    expect(outside).toEqual([]);
    const overlapping =
      await page.evaluate(`[...document.querySelectorAll("svg.plot > svg:first-of-type")].flatMap((legend) => {
      const places = [...legend.querySelectorAll("text")].map((text) => text.getBoundingClientRect());
      return places.filter((a, i) => places.some((b, j) => i < j &&
        a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom));
    }).length`);
    expect(overlapping).toBe(0);
  });

  it("fits on paper", async () => {
    const { page } = await openFile(browser, file, { viewport: { width: 720, height: 900 } });
    await page.emulateMedia({ media: "print" });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(720);
  });

  it.each(["light", "dark"] as const)("has no serious finding of accessibility in %s", async (colorScheme) => {
    await expectAccessible(browser, file, colorScheme, "#knowledge details");
  });
});

/** The figures of one column with what else names their rows, without gaps. */
function column(rows: readonly ListedRow[], heading: string, ...keys: string[]): (number | string)[][] {
  return rows.flatMap((row) => {
    const cells = [...keys.map((key) => row[key]), row[heading]];
    return cells.every((cell) => cell !== null && cell !== undefined) ? [cells as (number | string)[]] : [];
  });
}

/** Layer, edits and a measure of it, as a plot's table has them. */
function layerPoints(run: string, measure: keyof BatchLine["layers"][number]): (number | string)[][] {
  const points = jsonLines<BatchLine>(run, "batches.jsonl").flatMap(({ edits, layers }) =>
    layers.flatMap((layer) => (layer[measure] === null ? [] : [[layer.layer, edits, layer[measure] as number]])),
  );
  return points.sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!);
}

function summaryOf(run: string): Summary {
  return JSON.parse(contents[`${run}/summary.json`]!) as Summary;
}

function jsonLines<T>(run: string, name: string): T[] {
  const lines = contents[`${run}/${name}`]!.trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as T);
}
