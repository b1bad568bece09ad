// Causal traces on the page of lyaplock report: one that the command makes of the built-in model, and one of hostile strings.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TraceSummary } from "../../src/run/index.js";
import { type TracedFact, tokenRoles } from "../../src/trace/index.js";
import { chromiumPath, startChromium } from "../support/browser.js";
import {
  expectAccessible,
  expectDirectionsIsolated,
  expectSelfContained,
  hostile,
  listedData,
  listedRows,
  openFile,
} from "../support/report-page.js";
import { makeTemporaryDirectory } from "../support/temporary.js";
import { tracedFacts, traceSummary, writeTrace } from "../support/trace.js";
import { lyaplock, lyaplockJson } from "./command.js";
import { editingArguments, factsFile } from "./tiny.js";

const directory = await makeTemporaryDirectory();
const trace = join(directory, "atlas");
const file = join(directory, "report.html");
const plots = join(directory, "plots");
const kinds = { "hidden states": "state", "MLP outputs": "mlp", "attention outputs": "attention" } as const;

if (chromiumPath === undefined) console.warn("No Chromium was found (CHROMIUM can name one): the page is not tested.");

describe.skipIf(chromiumPath === undefined)("a trace on the page of lyaplock report", () => {
  let browser: Browser;
  let summary: TraceSummary;
  let facts: TracedFact[];
  afterAll(() => browser?.close());

  beforeAll(async () => {
    browser = await startChromium();
    const options = ["--model", "builtin:atlas", "--known", "atlas", "--facts", "5", "--samples", "3"];
    summary = await lyaplockJson<TraceSummary>(["trace", ...options, "--seed", "11", "--out", trace]);
    const lines = (await readFile(join(trace, "trace.jsonl"), "utf8")).trimEnd().split("\n");
    facts = lines.map((line) => JSON.parse(line));
    const { code, stderr } = await lyaplock(["report", trace, "--html", file, "--svg", plots]);
    expect(stderr + code).toBe("0");
  });

  it("asks for nothing but itself, and says what it is of", async () => {
    const opened = await openFile(browser, file);
    await expectSelfContained(opened, file);
    expect(await opened.page.title()).toBe("lyaplock: a trace");
    const outcome = await listedRows(opened.page, '[aria-label="What the traces came to"] tr');
    const value = (measure: string) => outcome.find((row) => row.measure === measure)?.atlas;
    expect(value("facts traced")).toBe(5);
    expect(value("facts skipped: the model answers otherwise")).toBe(summary.skipped.unknown);
    expect(value("facts skipped: cannot be used")).toBe(summary.skipped.unusable);
    expect(value("total effect: the difference, points")).toBe(100 * summary.average.totalEffect.mean);
    expect(value("standard deviation of the noise")).toBe(summary.noise);
    expect(value("seed of the noise")).toBe(11);
    expect(value("layers to edit, by the trace")).toBe("0-1");
    expect(await opened.page.locator("dd", { hasText: "Layers to edit: --layers 0-1" }).textContent()).toContain(
      `the MLPs around layer ${summary.suggestion!.peak.layer} bring back most`,
    );
  });

  it("lists the average effects of each kind and role, and those at the subject's last token", async () => {
    const { page } = await openFile(browser, file);
    const titles = {
      ...{ firstSubject: "first subject token", middleSubject: "middle subject tokens" },
      ...{ lastSubject: "last subject token", firstSubsequent: "first subsequent token" },
      ...{ further: "further tokens", last: "last token" },
    };
    const effects = await listedData(page, "trace-effects");
    const alone = await listedData(page, "trace-last-subject-token");
    for (const [name, kind] of Object.entries(kinds)) {
      const rows = effects.filter(({ restored }) => restored === name);
      expect(rows.map(({ layer }) => layer)).toEqual([0, 1, 2, 3, 4]);
      for (const role of tokenRoles) {
        const mean = summary.average.kinds[kind]![role]?.mean.map((effect) => 100 * effect);
        expect(rows.map((row) => row[titles[role]])).toEqual(mean ?? rows.map(() => undefined));
      }
      const atSubject = summary.average.kinds[kind]!.lastSubject!.mean.map((effect) => 100 * effect);
      expect(alone.map((row) => row[name])).toEqual(atSubject);
    }
    const cell = page.locator("#trace-last-subject-token details tbody tr").first().locator("td").nth(2);
    const { mean, band } = summary.average.kinds.mlp!.lastSubject!;
    expect(await cell.textContent()).toBe(`${(100 * mean[0]!).toFixed(1)} ± ${(100 * band![0]!).toFixed(1)}`);
  });

  it("shows a few facts, token by token", async () => {
    const { page } = await openFile(browser, file);
    const shown = [facts[0]!, facts[1]!, facts[3]!, facts[4]!];
    for (const [index, { prompt, answer, scores, tokenTexts, subjectRange }] of shown.entries()) {
      const id = `trace-fact-${index + 1}`;
      const title = (await page.locator(`h3:has(+ #${id})`).textContent())!.replace(/[\u2068\u2069]/g, "");
      expect(title).toBe(`A single fact: "${prompt}" → "${answer.trim()}"`);
      const [headings] = await page
        .locator(`#${id} details tr`)
        .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
      const labels = headings!.slice(2).map((label) => label!.replace(/[\u2068\u2069]/g, ""));
      expect(labels.map((label) => /^"(.*)"\*?(?: \(\d+\))?$/.exec(label)![1])).toEqual(tokenTexts);
      const starred = labels.flatMap((label, token) => (label.includes('"*') ? [token] : []));
      expect([starred[0], starred.at(-1)! + 1]).toEqual(subjectRange);
      const cells = await page
        .locator(`#${id} details tbody tr`)
        .evaluateAll((rows) =>
          rows.map((row) =>
            [...row.querySelectorAll("data")].map((data) => Number(data.getAttribute("value"))).slice(1),
          ),
        );
      const wanted = Object.values(kinds).flatMap((kind) =>
        summary.average.kinds[kind]!.last!.mean.map((_, layer) => scores[kind]!.map((row) => 100 * row[layer]!)),
      );
      expect(cells).toEqual(wanted);
    }
  });

  it("draws a cell for each of them, darker where the effect is larger", async () => {
    const { page } = await openFile(browser, file, { colorScheme: "light" });
    const panels = (await page.evaluate(`[...document.querySelectorAll("#trace-effects g.cell")].map((panel) =>
      [...panel.querySelectorAll("rect")].map((cell) => {
        const [red, green, blue] = getComputedStyle(cell).fill.match(/\\d+/g).map(Number);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
      }))`)) as number[][];
    expect(panels).toHaveLength(3);
    for (const [index, kind] of Object.values(kinds).entries()) {
      const effects = tokenRoles.flatMap((role) => summary.average.kinds[kind]![role]?.mean ?? []);
      const lightness = panels[index]!;
      expect(lightness).toHaveLength(effects.length);
      const order = effects.map((effect, cell) => ({ effect, light: lightness[cell]! }));
      order.sort((a, b) => a.effect - b.effect);
      for (const [place, { light }] of order.entries()) {
        if (place > 0) expect(light).toBeLessThanOrEqual(order[place - 1]!.light);
      }
      expect(new Set(lightness).size).toBeGreaterThan(2);
    }
    expect(await page.locator("#trace-last-subject-token g.area path").count()).toBe(3);
  });

  it("can be read without a mouse, and on paper its plots are on white", async () => {
    const { page } = await openFile(browser, file, { colorScheme: "dark" });
    const place = page.locator('[aria-label="plot: Average indirect effects"]');
    await place.focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await page.locator("#trace-effects details table").isVisible()).toBe(true);
    const least = () =>
      page.evaluate(
        "getComputedStyle(document.querySelector('#trace-effects g.cell rect[fill=\"var(--heat-0)\"]')).fill",
      );
    expect(await least()).toBe("rgb(8, 29, 88)");
    await page.emulateMedia({ media: "print" });
    expect(await least()).toBe("rgb(255, 255, 217)");
  });

  it.each(["light", "dark"] as const)("has no finding of accessibility in %s", async (colorScheme) => {
    await expectAccessible(browser, file, colorScheme);
  });

  it("is printed as tables too, and its plots are files that stand alone", async () => {
    const text = await lyaplock(["report", trace]);
    expect(text.stdout).toContain(
      "Average indirect effect of MLP outputs, restored in windows of 2 layers, in points: atlas",
    );
    const csv = await lyaplock(["report", trace, "--format", "csv"]);
    const { mean, band } = summary.average.kinds.state!.last!;
    expect(csv.stdout).toContain("layer,subject first,subject first 95 % band,");
    expect(csv.stdout).toContain(`,${100 * mean[4]!},${100 * band![4]!}\n`);
    const facts = [1, 2, 3, 4].map((number) => `trace-fact-${number}.svg`);
    expect((await readdir(plots)).sort()).toEqual(["trace-effects.svg", ...facts, "trace-last-subject-token.svg"]);
    const plot = await openFile(browser, join(plots, "trace-effects.svg"));
    expect(plot.complaints).toEqual([]);
    expect(await plot.page.locator("g.cell rect").count()).toBeGreaterThan(74);
  });

  it("stands beside runs and other traces, whatever their facts are called", { timeout: 240_000 }, async () => {
    const run = join(directory, "run");
    const tiny = await editingArguments("tiny-llama", directory);
    await lyaplockJson([
      "run",
      ...tiny,
      "--dataset",
      `counterfact:${factsFile("tiny-llama")}`,
      "--edits",
      "4",
      "--out",
      run,
    ]);
    const other = join(directory, `trace ${hostile.quotes.replaceAll("/", "\u2215")}`);
    const awkward = tracedFacts(5);
    for (const [index, text] of [...Object.values(hostile), "\uD800\n\t "].entries()) {
      Object.assign(awkward[index]!, { prompt: text, subject: text, answer: text });
      awkward[index]!.tokenTexts = [text, text, `${text}a`, "\u202E", "\u2069\u202E<b>"];
    }
    const awkwardSummary = traceSummary(awkward);
    awkwardSummary.model.name = hostile.markup + hostile.direction;
    awkwardSummary.known.file = hostile.markup;
    await writeTrace(other, awkward, awkwardSummary);
    const [page, plots] = [join(directory, "both.html"), join(directory, "both")];
    const { code, stderr } = await lyaplock(["report", other, run, trace, "--html", page, "--svg", plots]);
    expect(stderr + code).toBe("0");

    const opened = await openFile(browser, page);
    await expectSelfContained(opened, page);
    expect(await opened.page.title()).toBe("lyaplock: a run and 2 traces");
    await expectDirectionsIsolated(opened.page);
    const headings = await opened.page.locator("#trace-1-fact-1 details th").allTextContents();
    expect(headings.join()).toContain('"<script>');
    expect(await opened.page.locator("#trace-1-fact-1 svg text", { hasText: "<script>" }).count()).toBeGreaterThan(0);
    expect(await opened.page.locator("#trace-2-effects, #preservation-loss").count()).toBe(2);
    // Nothing that came with a fact turns round what we wrote about it.
    const titles = await opened.page.locator("#causal-traces, h3").allTextContents();
    for (const title of titles.filter((text) => text.startsWith("A single fact"))) {
      expect(title.replace(/\u2068[^\u2066-\u2069\u202A-\u202E]*\u2069/g, "…")).toBe("A single fact: … → …");
    }
    const sources = await Promise.all((await readdir(plots)).map((name) => readFile(join(plots, name), "utf8")));
    const found = (await opened.page.evaluate(`(${JSON.stringify(sources)}).map((source) => {
      const plot = new DOMParser().parseFromString(source, "image/svg+xml");
      return plot.querySelectorAll("svg > title").length + "," + plot.querySelectorAll("script, img, b, parsererror").length;
    })`)) as string[];
    expect(new Set(found)).toEqual(new Set(["1,0"]));
  });
});
