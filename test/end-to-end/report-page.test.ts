import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BatchLine } from "../../src/run/batch-line.js";
import type { EvaluationLine } from "../../src/run/evaluation-line.js";
import type { Summary } from "../../src/run/summary.js";
import { chromiumPath, startChromium } from "../support/browser.js";
import { officialJson, officialPath } from "../support/official.js";
import {
  expectAccessible,
  expectDirectionsIsolated,
  expectSelfContained,
  hostile,
  listedData,
  openFile,
} from "../support/report-page.js";
import { makeTemporaryDirectory } from "../support/temporary.js";
import { lyaplock, lyaplockJson } from "./command.js";
import { factsFile } from "./tiny.js";

const family = "tiny-llama";
const directory = await makeTemporaryDirectory();
const runs = join(directory, "runs");
const file = join(directory, "report.html");
const plots = join(directory, "plots");
const names = { memit: "tiny-counterfact-memit-sequential", lyaplock: "tiny-counterfact-lyaplock-alpha1.5" };

if (chromiumPath === undefined) console.warn("No Chromium was found (CHROMIUM can name one): the page is not tested.");

describe.skipIf(chromiumPath === undefined)("the page of lyaplock report", () => {
  let browser: Browser;
  afterAll(() => browser?.close());

  beforeAll(async () => {
    browser = await startChromium();
    const config = join(directory, "experiment.json");
    const known = ["Peru", "Chile"].map((subject, known_id) => {
      return { known_id, subject, attribute: "gold", prompt: `The currency of ${subject} is`, relation_id: "P38" };
    });
    const { lyaplock: hparams } = officialJson<{ lyaplock: object }>(family, "hparams.json");
    await writeFile(join(directory, "known.json"), JSON.stringify(known));
    await writeFile(join(directory, "hparams.json"), JSON.stringify(hparams));
    const model = { model: officialPath(family, "model"), moments: officialPath(family, "statistics") };
    await writeFile(
      config,
      JSON.stringify({
        models: { ...model, name: "tiny", hparams: "hparams.json" },
        datasets: `counterfact:${factsFile(family)}`,
        contextTemplates: officialPath(family, "context_templates.json"),
        methods: [{ method: "lyaplock", alpha: 1.5 }, "memit-sequential"],
        ...{ batch: 4, knowledge: "known.json", glueEvery: 4, evalEvery: 4 },
      }),
    );
    await lyaplockJson(["run", "--config", config, "--out", runs]);
    const { code, stderr } = await lyaplock(["report", runs, "--html", file, "--svg", plots]);
    expect(stderr + code).toBe("0");
  }, 400_000);

  it("asks for nothing but itself, has no script, and no complaint of the browser", async () => {
    await expectSelfContained(await open(file), file);
  });

  it("lists for every plot the figures that the run's files have", async () => {
    const { page } = await open(file);
    const layers = (name: string) => (line: BatchLine) =>
      line.layers.map((layer) => [layer.layer, line.edits, layer[name as "preservationLoss"]]);
    for (const [id, name] of [
      ["preservation-loss", "preservationLoss"],
      ["queue", "queue"],
      ["weight", "weight"],
      ["update-norm", "updateNorm"],
      ["residual-norm", "residualNorm"],
    ] as const) {
      const listed = await listedData(page, id);
      for (const [label, run] of [
        ["LyapLock", names.lyaplock],
        ["MEMIT, sequential", names.memit],
      ] as const) {
        const wanted = (await jsonLines<BatchLine>(run, "batches.jsonl")).flatMap(layers(name));
        const found = listed.flatMap((row) =>
          row[label] === null || row[label] === undefined ? [] : [[row.layer, row["facts edited"], row[label]]],
        );
        const [sorted, measured] = [found, wanted.filter((row) => row[2] !== null)].map((rows) =>
          [...rows].sort(byCells),
        );
        expect(sorted).toEqual(measured);
      }
    }
  });

  it("lists thresholds, and what was measured during the runs", async () => {
    const { page } = await open(file);
    const batches = await jsonLines<BatchLine>(names.lyaplock, "batches.jsonl");
    const losses = await listedData(page, "preservation-loss");
    for (const { layer, threshold } of batches[0]!.layers) {
      const listed = losses.filter((row) => row.layer === layer).map((row) => row["LyapLock: threshold"]);
      expect(listed).toEqual(batches.map(() => threshold));
    }
    const evaluations = await jsonLines<EvaluationLine>(names.memit, "evaluations.jsonl");
    const knowledge = evaluations.flatMap((line) => (line.kind === "knowledge" ? [line] : []));
    expect(knowledge.length).toBe(4);
    expect((await listedData(page, "knowledge")).map((row) => row["MEMIT, sequential"])).toEqual(
      knowledge.map(({ accuracy }) => accuracy.mean),
    );
    const recall = evaluations.flatMap((line) => (line.kind === "metrics" ? [line.firstBatch.efficacy.mean] : []));
    const listed = (await listedData(page, "metrics")).filter(({ measure }) => measure === "efficacy, first batch");
    expect(recall.length).toBeGreaterThan(1);
    expect(listed.map((row) => row["MEMIT, sequential"])).toEqual(recall);
  });

  it("draws the curves where the data are", async () => {
    const { page } = await open(file);
    const figures = (await listedData(page, "memory")).map(
      (row) => [row["MEMIT, sequential"], row.LyapLock] as [number, number],
    );
    // The styles are in the order of the paper's tables: MEMIT's first.
    for (const [style, values] of [figures.map(([memit]) => memit), figures.map(([, bound]) => bound)].entries()) {
      const path = await page.locator(`#memory g > svg g.line[stroke="var(--curve-${style})"] path`).getAttribute("d");
      const heights = [...path!.matchAll(/[ML]([\d.]+),([\d.]+)/g)].map(([, , y]) => Number(y));
      expect(heights).toHaveLength(values.length);
      const [ground, top] = await axisOf(page, "memory");
      for (const [index, value] of values.entries()) {
        const share = (ground.y - heights[index]!) / (ground.y - top.y);
        expect(share).toBeCloseTo((value - ground.value) / (top.value - ground.value), 2);
      }
    }
  });

  it("has the paper's table with the means of summary.json", async () => {
    const { page } = await open(file);
    const table = page.locator("table", { hasText: "12 edits, in batches of 4" });
    for (const [label, name] of [
      ["LyapLock", names.lyaplock],
      ["MEMIT, sequential", names.memit],
    ] as const) {
      const { after } = JSON.parse(await readFile(join(runs, name, "summary.json"), "utf8")) as Summary;
      const cells = table.locator("tbody tr", { hasText: label }).locator("data");
      const means = await cells.evaluateAll((all) => all.map((cell) => Number(cell.getAttribute("value"))));
      const measured = [after.efficacy, after.generalization, after.specificity].filter((metric) => metric?.count);
      expect(measured.length).toBeGreaterThan(0);
      expect(means).toEqual(measured.map((metric) => metric!.mean));
    }
  });

  it("says which command runs it again, and that command does", async () => {
    const { page } = await open(file);
    const command = await page.locator(`h3:has-text("${names.lyaplock}") + pre`).textContent();
    const words = command!.split(" ");
    expect(words.slice(0, 2)).toEqual(["lyaplock", "run"]);
    const again = join(directory, "again");
    await lyaplockJson([...words.slice(1, -1), again]);
    const [first, second] = await Promise.all(
      [join(runs, names.lyaplock), again].map(async (path) =>
        JSON.parse(await readFile(join(path, "run.json"), "utf8")),
      ),
    );
    expect(second.asked).toEqual(first.asked);
  });

  it.each(["light", "dark"] as const)("has no serious finding of accessibility in %s", async (colorScheme) => {
    await expectAccessible(browser, file, colorScheme);
  });

  it("can be read without a mouse, in the dark, and on paper", async () => {
    const { page } = await open(file, { colorScheme: "dark" });
    await page.keyboard.press("Tab");
    expect(await page.locator(":focus").textContent()).toBe("To the content");
    const summary = page.locator("#memory summary");
    await summary.focus();
    await page.keyboard.press("Enter");
    expect(await page.locator("#memory details table").isVisible()).toBe(true);
    const ground = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const dark = await ground();
    await page.emulateMedia({ media: "print" });
    expect([dark, await ground()]).toEqual(["rgb(22, 24, 27)", "rgb(255, 255, 255)"]);
  });

  it("has its plots as files that stand alone", async () => {
    const { page } = await open(file);
    const ids = await page.locator("figure").evaluateAll((all) => all.map(({ id }) => id));
    expect(ids.length).toBeGreaterThan(8);
    expect((await readdir(plots)).sort()).toEqual(ids.map((id) => `${id}.svg`).sort());
    const plot = await open(join(plots, "knowledge.svg"));
    expect(plot.complaints).toEqual([]);
    expect(await plot.page.locator("title").textContent()).toBe("Knowledge of facts that nobody edits");
    expect(await plot.page.locator("text", { hasText: "LyapLock" }).count()).toBe(1);
  });

  it("shows hostile strings of runs as text", async () => {
    const run = join(directory, `run ${hostile.markup.replaceAll("/", "\u2215")}`);
    await cp(join(runs, names.lyaplock), run, { recursive: true });
    const twin = join(directory, "twin");
    await cp(join(runs, names.lyaplock), twin, { recursive: true });
    const texts = Object.values(hostile);
    for (const path of [run, twin]) {
      const record = JSON.parse(await readFile(join(path, "run.json"), "utf8"));
      record.model.name = hostile.markup + hostile.direction;
      record.dataset.name = hostile.quotes;
      record.skipped = texts.map((text, caseId) => ({
        caseId,
        subject: text,
        problems: [{ code: "ERR", message: text }],
      }));
      await writeFile(join(path, "run.json"), JSON.stringify(record));
    }
    const examples = texts.map((text, caseId) => ({ caseId, prompt: text, target: text, was: text, now: text }));
    await writeFile(join(run, "examples.json"), JSON.stringify(examples));

    const [hostileFile, hostilePlots] = [join(directory, "hostile.html"), join(directory, "hostile")];
    const { code } = await lyaplock(["report", run, twin, "--html", hostileFile, "--svg", hostilePlots]);
    expect(code).toBe(0);
    const { page, requests, complaints } = await open(hostileFile);
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !url.startsWith("data:"))).toHaveLength(1);
    expect(await page.title()).toBe("lyaplock: 2 runs");
    expect(await page.locator("script, img").count()).toBe(0);
    const isolated = await page.locator("bdi").evaluateAll((all) => all.map(({ textContent }) => textContent ?? ""));
    for (const text of [hostile.markup, hostile.quotes, hostile.direction]) expect(isolated).toContain(text);
    expect(isolated).toContain("a\uFFFDb\uFFFDc");
    await expectDirectionsIsolated(page);
    const files = (await readdir(hostilePlots)).map((name) => join(hostilePlots, name));
    const sources = await Promise.all(files.map((path) => readFile(path, "utf8")));
    const found = (await page.evaluate(`(${JSON.stringify(sources)}).map((source) => {
      const plot = new DOMParser().parseFromString(source, "image/svg+xml");
      return [plot.querySelectorAll("svg > title").length, plot.querySelectorAll("script, img, parsererror").length];
    })`)) as number[][];
    expect(found).toEqual(files.map(() => [1, 0]));
    expect(sources.join()).toContain("&lt;script&gt;"); // in the legend, which has the directory's name
  });

  function open(path: string, options: BrowserContextOptions = {}) {
    return openFile(browser, path, options);
  }
});

/** The lowest and highest labelled place of a plot's axis of y: pixels and value. */
async function axisOf(page: Page, id: string): Promise<[{ y: number; value: number }, { y: number; value: number }]> {
  const script = `[...document.querySelectorAll('#${id} g.y-axis-tick-label text')].map((text) => ({
    y: Number(/,([\\d.]+)\\)/.exec(text.getAttribute("transform"))[1]), value: Number(text.textContent) }))`;
  const ticks = (await page.evaluate(script)) as { y: number; value: number }[];
  return [ticks[0]!, ticks.at(-1)!];
}

async function jsonLines<T>(run: string, name: string): Promise<T[]> {
  const text = await readFile(join(runs, run, name), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
}

function byCells(a: unknown[], b: unknown[]): number {
  return Number(a[0]) - Number(b[0]) || Number(a[1]) - Number(b[1]);
}
