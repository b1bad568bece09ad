import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { figure } from "../../src/report/table.js";
import type { BatchLine } from "../../src/run/batch-line.js";
import { chromiumPath, startChromium } from "../support/browser.js";
import { makeTemporaryDirectory } from "../support/temporary.js";
import { type Finished, lyaplock, lyaplockJson, type Started, start } from "./command.js";
import { lastingContent } from "./run-files.js";

const directory = await makeTemporaryDirectory();
const atlas = new URL("../../models/atlas/", import.meta.url);
const inAtlas = (name: string) => readFile(new URL(name, atlas), "utf8");

/** What facts may say, and must not do. */
const hostile = {
  subject: `<script>document.title = "taken"</script><img src=x onerror="document.title = 'taken'">`,
  target: `"'&amp;' </bdi></td></main> \u202E\u2067\u05D0`,
};

interface AtlasRecord {
  case_id: number;
  requested_rewrite: { prompt: string; subject: string; target_new: { str: string }; target_true: { str: string } };
  paraphrase_prompts: string[];
  neighborhood_prompts: string[];
}

const BATCH = 20;

/**
 * Five batches of facts, of which the third takes back the first, so that a run forgets these wherever it is made. The first and
 * the second of those whose texts a run keeps are hostile.
 */
async function writeForgottenFacts(path: string): Promise<void> {
  const all = JSON.parse(await inAtlas("edits.json")) as AtlasRecord[];
  const records = all.slice(0, 4 * BATCH).map((record) => ({
    ...record,
    paraphrase_prompts: [],
    neighborhood_prompts: record.neighborhood_prompts.slice(0, 1),
    generation_prompts: [],
  }));
  const first = records[0]!.requested_rewrite;
  first.subject = hostile.subject;
  records[16]!.requested_rewrite.target_new = { str: hostile.target };
  const takenBack = records.slice(0, BATCH).map((record) => {
    const { target_new, target_true, ...rest } = record.requested_rewrite;
    return {
      ...record,
      case_id: record.case_id + 10_000,
      requested_rewrite: { ...rest, target_new: target_true, target_true: target_new },
    };
  });
  await writeFile(path, JSON.stringify([...records.slice(0, 2 * BATCH), ...takenBack, ...records.slice(2 * BATCH)]));
}

const facts = join(directory, "facts.json");
const texts = join(directory, "texts.txt");
const hparams = join(directory, "hparams.json");
const run = [
  ...["run", "--model", "builtin:atlas", "--dataset", `counterfact:${facts}`, "--text", texts],
  ...["--hparams", hparams, "--method", "ft", "--batch", String(BATCH)],
];

beforeAll(async () => {
  await writeForgottenFacts(facts);
  await writeFile(texts, (await inAtlas("texts.txt")).split("\n").slice(0, 300).join("\n"));
  const published = JSON.parse(await inAtlas("hparams.json"));
  // A layer that says the new facts after a few large steps.
  await writeFile(
    hparams,
    JSON.stringify({ ...published, ft: { ...published.ft, layers: [3], num_steps: 8, lr: 0.5 } }),
  );
});

/** Waits until the run has said where it can be watched. */
async function addressOf({ process, output }: Started): Promise<string> {
  for (;;) {
    const [address] = /http:\/\/127\.0\.0\.1:\d+\//.exec(output.stderr) ?? [];
    if (address !== undefined) return address;
    if (process.exitCode !== null) throw new Error(output.stderr);
    await setTimeout(5);
  }
}

async function ask(address: string, path: string, options: { method?: string; host?: string } = {}) {
  const headers = options.host === undefined ? {} : { host: options.host };
  const asked = request(new URL(path, address), { method: options.method ?? "GET", headers, agent: false });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  return response.setEncoding("utf8");
}

/** Reads events to their end, and goes then. */
async function eventsOf(address: string): Promise<{ event: string; data: string }[]> {
  const response = await ask(address, "/events");
  let text = "";
  for await (const part of response) {
    text += part;
    if (text.includes("event: end")) break;
  }
  return [...text.matchAll(/^event: (.*)\ndata: (.*)$/gm)].map(([, event, data]) => ({ event: event!, data: data! }));
}

async function batchesOf(out: string): Promise<BatchLine[]> {
  const lines = (await readFile(join(out, "batches.jsonl"), "utf8")).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as BatchLine);
}

const watched = join(directory, "watched");

describe("lyaplock run --watch", () => {
  let started: Started;
  let address: string;
  let events: Promise<{ event: string; data: string }[]>;
  let finished: Finished;
  let page: Page | undefined;
  let browser: Browser | undefined;
  const complaints: string[] = [];
  const requests: string[] = [];
  afterAll(() => browser?.close());

  beforeAll(async () => {
    browser = chromiumPath === undefined ? undefined : await startChromium();
    started = start([...run, "--watch", "--out", watched]);
    address = await addressOf(started);
    events = eventsOf(address);
    page = await browser?.newPage();
    page?.on("request", (one) => requests.push(one.url()));
    page?.on("console", (message) => complaints.push(message.text()));
    page?.on("pageerror", (error) => complaints.push(error.message));
    await page?.goto(address);
    // How many points of the curve and how many alarms the page has had, one after the other.
    await page?.evaluate(`{
      globalThis.seen = [];
      const look = () => {
        const points = document.querySelectorAll("#preservation-loss tbody tr").length;
        const path = document.querySelector("#preservation-loss g > svg g.line path")?.getAttribute("d") ?? "";
        const now = [points, path.split(/[ML]/).length - 1, document.querySelectorAll("#alarms li").length].join();
        if (globalThis.seen.at(-1) !== now) globalThis.seen.push(now);
      };
      new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
    }`);
  }, 120_000);

  it("answers with its page and its events, to this machine alone, and nothing else", async () => {
    const root = await ask(address, "/");
    expect([root.statusCode, root.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    for (const path of ["/run.json", "/page", "/events/1"]) expect((await ask(address, path)).statusCode).toBe(404);
    for (const path of ["/", "/events"]) {
      expect((await ask(address, path, { method: "POST" })).statusCode).toBe(405);
      expect((await ask(address, path, { host: `evil.example:${new URL(address).port}` })).statusCode).toBe(403);
    }
  });

  it("sends an event for each batch, one when it ends, and ends", async () => {
    finished = await started.finished;
    expect(finished.code, finished.stderr).toBe(0);
    const told = await events;
    expect(told.filter(({ event }) => event === "batch").map(({ data }) => data)).toEqual(["1", "2", "3", "4", "5"]);
    expect(told.filter(({ event }) => event === "end")).toHaveLength(1);
    expect(told.at(-1)!.event).toBe("end");
    await expect(ask(address, "/")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("keeps in the run's directory how the first facts are recalled, and the alarm", async () => {
    const batches = await batchesOf(watched);
    expect(batches.map(({ recalled }) => recalled!.count)).toEqual([20, 40, 60, 80, 100]);
    expect(batches.map(({ alarms = [] }) => alarms.map(({ kind }) => kind).includes("recall"))).toEqual([
      ...[false, false, true, false, false],
    ]);
    // A third of sixty facts is forgotten.
    expect(batches[2]!.recalled!.mean).toBeLessThan(75);
    expect(batches.every(({ seconds }) => seconds.evaluation > 0)).toBe(true);
  });

  it("shows the batches in a table, and the alarm after its batch", async () => {
    const batches = await batchesOf(watched);
    const lines = finished.stderr.split("\n").map((line) => line.trim().split(/ {2,}/));
    const rows = lines.filter(([batch, edits]) => /^\d$/.test(batch!) && /^\d+$/.test(edits ?? ""));
    expect(rows.map((row) => row.slice(0, 5))).toEqual(
      batches.map(({ batch, edits, layers: [layer], recalled }) => [
        ...[String(batch), String(edits), `${figure(layer!.preservationLoss / layer!.baseLoss)} x the first`, "– / –"],
        `${recalled!.mean.toFixed(0)} %`,
      ]),
    );
    const after = finished.stderr.indexOf("Alarm after batch 3 (60 edits): the first facts are being forgotten");
    const row = (batch: number) => finished.stderr.search(new RegExp(`^ +${batch} +${batch * BATCH} `, "m"));
    expect(row(3)).toBeGreaterThan(0);
    expect(after).toBeGreaterThan(row(3));
    expect(after).toBeLessThan(row(4));
  });

  if (chromiumPath === undefined) console.warn("No Chromium was found (CHROMIUM can name one): no page is followed.");

  it.skipIf(chromiumPath === undefined)("has a page that follows: its curve grows, and the alarm comes", async () => {
    await page!.getByRole("status").filter({ hasText: "The run has stopped." }).waitFor();
    const seen = ((await page!.evaluate("globalThis.seen")) as string[]).map((one) => one.split(",").map(Number));
    const points = [...new Set(seen.map(([listed]) => listed!))].filter((listed) => listed > 0);
    expect(points.length).toBeGreaterThan(1);
    expect(points).toEqual([...points].sort((a, b) => a - b));
    expect(points.at(-1)).toBe(5);
    // A curve of one point is a marker alone; from then on it has as many ends of lines as points.
    for (const [listed, drawn] of seen) if (listed! > 1) expect(drawn).toBe(listed);
    expect(seen.every(([listed, , alarms]) => alarms === 0 || listed! >= 3)).toBe(true);
    expect(await page!.getByRole("alert").locator("li").allTextContents()).toEqual([
      expect.stringMatching(/^After batch 3 \(60 edits\) the first facts are being forgotten: /),
    ]);
    expect(await page!.locator("#what-was-run").locator("..").textContent()).toContain("finished");
  });

  it.skipIf(chromiumPath === undefined)("shows hostile facts as text, and asks nobody else for anything", async () => {
    const cells = await page!.locator("caption bdi").allTextContents();
    for (const text of Object.values(hostile)) {
      expect(cells.filter((cell) => cell.includes(text)).length, text).toBeGreaterThan(0);
    }
    expect(await page!.title()).toBe("lyaplock: a run");
    expect(await page!.locator("img, main script").count()).toBe(0);
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !url.startsWith(address) && !url.startsWith("data:"))).toEqual([]);
  });

  it("leaves alarms to the report of the finished run, which has no script", async () => {
    const file = join(directory, "report.html");
    expect((await lyaplock(["report", watched, "--html", file])).code).toBe(0);
    const html = await readFile(file, "utf8");
    expect(html).toMatch(/<div id="alarms" role="alert">.*After batch 3 \(60 edits\) the first facts/s);
    expect(html).not.toMatch(/<script(?!>document)/);
    expect(html).not.toContain("script-src");
  });
});

describe("lyaplock run --stop-on-collapse", () => {
  it("ends with 3 after the batch of the alarm, and the run goes on as it is told", async () => {
    const out = join(directory, "stopped");
    const { code, stdout, stderr } = await lyaplock([...run, "--stop-on-collapse", "--json", "--out", out]);
    expect(code).toBe(3);
    expect(JSON.parse(stdout).error.code).toBe("ERR_COLLAPSE");
    expect(stderr).toContain("The run was stopped after batch 3 (60 edits), for the first facts are being forgotten");
    expect(await batchesOf(out)).toHaveLength(3);

    const [, advice] = /Go on with: lyaplock (.*)/.exec(stderr) ?? [];
    await lyaplockJson([...advice!.split(" "), "--stop-on-collapse"]);
    expect(await lastingContent(out)).toEqual(await lastingContent(watched));
  });

  it("ends one run of a --config, and the others go on", async () => {
    const config = join(directory, "experiment.json");
    await writeFile(
      config,
      JSON.stringify({
        models: { model: "builtin:atlas", hparams, text: [texts] },
        ...{ datasets: `counterfact:${facts}`, methods: "ft", batch: BATCH, edits: [60, 20] },
      }),
    );
    const out = join(directory, "matrix");
    const { code, stderr } = await lyaplock(["run", "--config", config, "--out", out, "--watch", "--stop-on-collapse"]);
    expect(code, stderr).toBe(1);
    const { runs } = JSON.parse(await readFile(join(out, "runs.json"), "utf8"));
    expect(runs.map((one: { state: string; error?: { code: string } }) => [one.state, one.error?.code])).toEqual([
      ["failed", "ERR_COLLAPSE"],
      ["finished", undefined],
    ]);
  });
});

it("Ctrl-C ends a run that somebody watches at once", async () => {
  const started = start([...run, "--watch", "--out", join(directory, "interrupted")]);
  const response = await ask(await addressOf(started), "/events");
  const gone = once(response, "close").catch(() => undefined);
  response.on("error", () => undefined).resume();
  started.process.kill("SIGINT");
  const { code, stderr } = await started.finished;
  await gone;
  expect(code, stderr).toBe(130);
});
