import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { followScript } from "../../src/report/page/follow.js";
import { reportPage } from "../../src/report/page/page.js";
import type { Alarm, BatchLine, CaseStudy, RunFiles } from "../../src/run/index.js";
import { PageServer } from "../../src/watch/page-server.js";
import { chromiumPath, startChromium } from "../support/browser.js";

/** What a run directory would have after so many batches. */
function runOf(batches: number, alarms: Record<number, Alarm[]> = {}): RunFiles {
  const line = (batch: number): BatchLine => ({
    ...{ batch, edits: 10 * batch, residentBytes: 2 ** 30 },
    layers: [0, 1].map((layer) => ({
      ...{ layer, preservationLoss: batch + layer, baseLoss: 1, threshold: null, queue: null, weight: 250 },
      ...{ updateNorm: 1, residualNorm: 1, solveResidual: 0, form: "dual" },
    })),
    seconds: { values: 1, keys: 1, updates: 1, evaluation: 0 },
    ...(alarms[batch] === undefined ? {} : { alarms: alarms[batch] }),
  });
  const record = {
    asked: { model: "m", dataset: "d", method: "memit-sequential", batch: 10 },
    ...{ model: { name: "m", hash: "h" }, dataset: { name: "d", hash: "h", facts: 100 } },
    ...{ method: { name: "memit-sequential" }, hyperparameters: { layers: [0, 1], covarianceWeight: 250 } },
    ...{ contextTemplates: [], secondMoments: "s", skipped: [], environment: { lyaplock: "0", node: "20" } },
  } as unknown as RunFiles["record"];
  return {
    ...{ name: "run", directory: "/run", record, evaluations: [], summary: null },
    batches: Array.from({ length: batches }, (_, index) => line(index + 1)),
  };
}

if (chromiumPath === undefined) console.warn("No Chromium was found (CHROMIUM can name one): no page is followed.");

describe.skipIf(chromiumPath === undefined)("a page that follows a run", () => {
  let browser: Browser;
  let server: PageServer;
  let page: Page;
  let runs: RunFiles[];
  let caseStudies: CaseStudy[];
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await startChromium();
    runs = [];
    caseStudies = [];
    server = await PageServer.start(0, () => reportPage({ runs, caseStudies }, followScript));
    page = await browser.newPage({ viewport: { width: 400, height: 600 } });
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(server.address);
    await page.getByRole("status").filter({ hasText: "follows the run" }).waitFor();
  });
  afterAll(async () => {
    server?.stop();
    await browser?.close();
  });

  /** Lets the page see that many batches. */
  async function show(batches: number, alarms: Record<number, Alarm[]> = {}): Promise<void> {
    runs = [runOf(batches, alarms)];
    server.announce("batch", String(batches));
    await page
      .locator("#preservation-loss tbody tr")
      .nth(2 * batches - 1)
      .waitFor({ state: "attached" });
  }

  it("begins before there is a run, and then has its sections", async () => {
    expect(await page.title()).toBe("lyaplock: 0 runs");
    await show(2);
    expect(await page.title()).toBe("lyaplock: a run");
    expect(await page.locator("nav a", { hasText: "Plots" }).count()).toBe(1);
  });

  it("keeps what is open, scrolled and focused, and the reader's place", async () => {
    // As in browsers that keep no place themselves.
    await page.addStyleTag({ content: "html { overflow-anchor: none; }" });
    const summary = page.locator("#preservation-loss summary");
    await summary.click();
    await summary.focus();
    const scrolled = page.locator("#preservation-loss > .wide");
    await scrolled.evaluate((element) => element.scrollTo({ left: 50 }));
    const height = () => summary.evaluate((element) => element.getBoundingClientRect().top);
    const before = await height();
    // An alarm above makes the page longer there.
    await show(5, { 4: [{ kind: "recall", recalled: 50, best: 100 }] });
    await page.getByRole("alert").locator("li").waitFor();
    expect(await page.locator("details[open]").count()).toBe(1);
    expect(await page.locator("#preservation-loss details").getAttribute("open")).toBe("");
    expect(await page.locator("#preservation-loss summary:focus").count()).toBe(1);
    expect(await scrolled.evaluate((element) => element.scrollLeft)).toBe(50);
    expect(Math.abs((await height()) - before)).toBeLessThan(2);
  });

  it("says each alarm once, into a region that was there before", async () => {
    const alert = page.getByRole("alert");
    await page.evaluate(`{
      globalThis.changes = [];
      globalThis.region = document.querySelector("[role=alert]");
      new MutationObserver(() => globalThis.changes.push(globalThis.region.textContent)).observe(globalThis.region, { childList: true });
    }`);
    const alarms: Record<number, Alarm[]> = { 4: [{ kind: "recall", recalled: 50, best: 100 }] };
    await show(6, alarms);
    await show(7, alarms);
    expect(await page.evaluate("globalThis.changes.length")).toBe(0);
    await show(8, { ...alarms, 8: [{ kind: "preservation", layer: 1, ofThreshold: 130 }] });
    await alert.locator("li").nth(1).waitFor();
    expect(await page.evaluate("globalThis.changes.length")).toBe(1);
    expect(await page.evaluate("globalThis.region === document.querySelector('[role=alert]')")).toBe(true);
    expect(await alert.locator("li").allTextContents()).toEqual([
      expect.stringMatching(/^After batch 4 \(40 edits\) the first facts are being forgotten/),
      expect.stringMatching(/^After batch 8 \(80 edits\) the preservation loss of layer 1 has left its band/),
    ]);
  });

  it("allows no other script, and no other address", async () => {
    const text = `<img src=x onerror="document.title = 'taken'"><script>document.title = "taken"</script>`;
    caseStudies = [{ run: runs[0]!, examples: [{ caseId: 1, prompt: text, target: text, was: text, now: text }] }];
    await show(9);
    await page.locator("caption", { hasText: text }).waitFor();
    expect(await page.locator("main img, main script").count()).toBe(0);
    expect(complaints).toEqual([]);
    // Even if something came through, the page's policy would not let it run.
    await page.evaluate(`{
      const script = document.createElement("script");
      script.textContent = 'document.title = "taken"';
      document.body.append(script);
    }`);
    expect(await page.title()).toBe("lyaplock: a run");
    expect(await page.evaluate("fetch('http://127.0.0.1:1/').then(() => 'sent', (error) => error.message)")).toBe(
      "Failed to fetch",
    );
    expect(complaints.filter((text) => text.includes("Content Security Policy")).length).toBeGreaterThan(1);
  });

  it("reads the last page before the server closes, and says that the run has stopped", async () => {
    runs = [runOf(10)];
    await server.close();
    await page.getByRole("status").filter({ hasText: "The run has stopped." }).waitFor();
    expect(await page.locator("#preservation-loss tbody tr").count()).toBe(20);
  });
});
