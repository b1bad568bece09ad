import { type FSWatcher, watch } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { glueDirectory } from "../support/glue.js";
import { officialJson } from "../support/official.js";
import { makeTemporaryDirectory } from "../support/temporary.js";
import { lyaplockJson, type Started, start } from "./command.js";
import { lastingContent } from "./run-files.js";
import { editingArguments, writeDataset } from "./tiny.js";

const family = "tiny-llama";
const directory = await makeTemporaryDirectory();
const args = await arguments_();

async function arguments_(): Promise<string[]> {
  const dataset = await writeDataset(family, join(directory, "dataset.json"), 70); // three chunks of evaluation
  const more = ["--dataset", `counterfact:${dataset}`, "--batch", "10", "--metrics-before", "--skip-bad"];
  const text = join(directory, "text.txt");
  await writeFile(text, officialJson<string[]>(family, "statistics", "texts.json").slice(0, 20).join("\n"));
  const measured = ["--glue", glueDirectory, "--perplexity", text, "--glue-every", "25", "--eval-every", "20"];
  const known = join(directory, "known.json");
  const fact = { known_id: 0, subject: "Peru", attribute: "gold", prompt: "The currency of Peru is" };
  await writeFile(known, JSON.stringify([fact]));
  const kept = ["--knowledge", known, "--case-study", "3"];
  return ["run", ...(await editingArguments(family, directory)), ...more, ...measured, ...kept];
}

/** A run that nobody disturbed. */
const undisturbed = (async () => {
  const out = join(directory, "undisturbed");
  await lyaplockJson([...args, "--out", out]);
  return lastingContent(out);
})();

/** Mulberry32: small, and the same everywhere. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Kills a process with SIGKILL as soon as something holds; false if the process ended before. */
async function killWhen(run: Started, arm: (kill: () => void) => FSWatcher | undefined): Promise<boolean> {
  const watcher = arm(() => run.process.kill("SIGKILL"));
  const { signal, code, stderr } = await run.finished;
  watcher?.close();
  if (signal !== "SIGKILL" && code !== 0) throw new Error(`the run failed by itself: ${stderr}`);
  return signal === "SIGKILL";
}

/** How far a killed run had come. */
async function placeOf(out: string): Promise<string> {
  const files = await readdir(out);
  if (!files.includes("checkpoint")) return "beginning";
  const text = await readFile(join(out, "checkpoint", "state.json"), "utf8").catch(() => undefined);
  const state = text === undefined ? undefined : JSON.parse(text);
  if (!state?.editor) return state?.lines.evaluations > 0 ? "GLUE" : "metrics before";
  if (state.editor.edits < JSON.parse(await readFile(join(out, "run.json"), "utf8")).dataset.facts) return "editing";
  return files.includes("model") ? "metrics after" : "saving";
}

/** Goes on to the end and compares with the undisturbed run. */
async function finishAndCompare(out: string): Promise<void> {
  await lyaplockJson([...args, "--out", out, "--resume"]);
  expect(await lastingContent(out)).toEqual(await undisturbed);
}

it("everything that was asked for is measured", async () => {
  const { evaluations } = (await undisturbed) as { evaluations: { edits: number; kind: string }[] };
  const metrics = [20, 40, 60].map((edits) => `${edits} metrics`);
  const due = [0, 30, 50, 70].flatMap((edits) => [`${edits} glue`, `${edits} perplexity`, `${edits} knowledge`]);
  expect(evaluations.map(({ edits, kind }) => `${edits} ${kind}`)).toEqual([
    ...due.slice(0, 3),
    metrics[0],
    ...due.slice(3, 6),
    metrics[1],
    ...due.slice(6, 9),
    metrics[2],
    ...due.slice(9, 12),
    "70 metrics",
  ]);
});

describe("a run killed with SIGKILL and resumed ends like one that was not", () => {
  // Files change between any two steps that matter, so the n-th change is where the n-th step begins or ends.
  it.each([1, 2])("killed at seeded changes of its files, again and again (seed %i)", async (seed) => {
    const next = random(seed);
    const out = join(directory, `files-${seed}`);
    await mkdir(out);
    const places: string[] = [];
    for (let going = true; going && places.length < 25; ) {
      let changes = 1 + Math.floor(next() * 60);
      going = await killWhen(start([...args, "--out", out, "--resume"]), (kill) =>
        watch(out, { recursive: true }, () => {
          if (--changes === 0) kill();
        }),
      );
      if (going) places.push(await placeOf(out));
    }
    // A kill proves something only where there was something to lose.
    expect(new Set(places).size, places.join(", ")).toBeGreaterThanOrEqual(3);
    await finishAndCompare(out);
  });

  const stages = ["checks", "metrics before", "GLUE", "editing", "metrics after 20", "metrics after"];
  it.each(stages)("killed during %s, at seeded moments", async (stage) => {
    const next = random(stage.length);
    const out = join(directory, `stage-${stages.indexOf(stage)}`);
    const reached: string[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      const run = start([...args, "--out", out, "--resume"]);
      const wait = next() * 60;
      await killWhen(run, (kill) => {
        run.process.stderr!.on("data", () => {
          if (run.output.stderr.includes(`${stage}`)) setTimeout(kill, wait);
        });
        return undefined;
      });
      if (run.output.stderr.includes(stage)) reached.push(stage);
    }
    expect(reached.length).toBeGreaterThan(0);
    await finishAndCompare(out);
  });

  it("killed while second moments are collected", async () => {
    const texts = join(directory, "texts.json");
    const lines = officialJson<string[]>(family, "statistics", "texts.json");
    await writeFile(texts, JSON.stringify(Array.from({ length: 25 }, () => lines).flat()));
    const withTexts = [...args];
    withTexts.splice(args.indexOf("--moments"), 2, "--text", texts);
    const env = (name: string) => ({ env: { LYAPLOCK_CACHE: join(directory, name) } });

    const whole = join(directory, "whole");
    await lyaplockJson([...withTexts, "--out", whole], env("whole-cache"));
    const out = join(directory, "moments");
    for (const wait of [0, 30, 80]) {
      const run = start([...withTexts, "--out", out, "--resume"], env("cache"));
      const killed = await killWhen(run, (kill) => {
        run.process.stderr!.on("data", () => {
          if (run.output.stderr.includes("second moments")) setTimeout(kill, wait);
        });
        return undefined;
      });
      expect(killed).toBe(true);
    }
    await lyaplockJson([...withTexts, "--out", out, "--resume"], env("cache"));
    expect(await lastingContent(out)).toEqual(await lastingContent(whole));
  });

  it("counts the seconds of all its sessions", async () => {
    const out = join(directory, "seconds");
    const run = start([...args, "--out", out]);
    await killWhen(run, (kill) => {
      run.process.stderr!.on("data", () => {
        if (run.output.stderr.includes("editing (batch")) setTimeout(kill, 200);
      });
      return undefined;
    });
    const state = JSON.parse(await readFile(join(out, "checkpoint", "state.json"), "utf8"));
    await lyaplockJson([...args, "--out", out, "--resume"]);
    const { seconds } = JSON.parse(await readFile(join(out, "summary.json"), "utf8"));
    expect(state.seconds.evaluation).toBeGreaterThan(0);
    expect(seconds.total).toBeGreaterThan(state.seconds.total);
    expect(seconds.evaluation).toBeGreaterThan(state.seconds.evaluation);
  });
});
