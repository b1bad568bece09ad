import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { EvaluationResult, ExperimentResult } from "../../src/run/index.js";
import { glueDirectory } from "../support/glue.js";
import { officialJson, officialPath } from "../support/official.js";
import { makeTemporaryDirectory } from "../support/temporary.js";
import { lyaplock, lyaplockJson } from "./command.js";
import { editingArguments, factsFile } from "./tiny.js";

const family = "tiny-llama";
const directory = await makeTemporaryDirectory();
const text = join(directory, "text.txt");
const out = join(directory, "run");
const measured = ["--glue", glueDirectory, "--perplexity", text];
let args: string[];
let run: ExperimentResult;

beforeAll(async () => {
  await writeFile(text, officialJson<string[]>(family, "statistics", "texts.json").slice(0, 30).join("\n"));
  const dataset = ["--dataset", `counterfact:${factsFile(family)}`];
  args = ["run", ...(await editingArguments(family, directory)), ...dataset, ...measured, "--eval-every", "4"];
  run = await lyaplockJson<ExperimentResult>([...args, "--glue-every", "6", "--dtype", "f32", "--out", out]);
});

/** What `eval` says of a model. */
const evaluation = (model: string, ...more: string[]) =>
  lyaplockJson<EvaluationResult>(["eval", "--model", model, ...measured, ...more]);

function at<Kind extends "glue" | "perplexity" | "metrics">(edits: number, kind: Kind) {
  const line = run.evaluations.find((line) => line.edits === edits && line.kind === kind);
  return line as Extract<ExperimentResult["evaluations"][number], { kind: Kind }>;
}

describe("a run that is measured on its way", () => {
  it("has a line for every measurement", async () => {
    const lines = (await readFile(join(out, "evaluations.jsonl"), "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual(run.evaluations);
    expect(run.evaluations.map(({ edits, kind }) => [edits, kind])).toEqual([
      [0, "glue"],
      [0, "perplexity"],
      [4, "metrics"],
      [8, "glue"],
      [8, "perplexity"],
      [8, "metrics"],
      [12, "glue"],
      [12, "perplexity"],
      [12, "metrics"],
    ]);
  });

  it("begins with what eval says of the unedited model, and ends with what it says of the edited one", async () => {
    for (const [edits, model] of [
      [0, officialPath(family, "model")],
      [12, join(out, "model")],
    ] as const) {
      const { glue, text } = await evaluation(model);
      const { tests: _tests, seconds: _seconds, directory: _directory, ...scores } = glue!;
      expect(at(edits, "glue")).toEqual({ edits, kind: "glue", seconds: expect.any(Number), ...scores });
      expect(at(edits, "perplexity").perplexity).toBe(text!.perplexity);
    }
    expect(at(8, "perplexity").perplexity).not.toBe(at(0, "perplexity").perplexity);
    expect(at(8, "perplexity").perplexity).not.toBe(at(12, "perplexity").perplexity);
  });

  it("says how well the facts edited so far, and the first ones, are held", async () => {
    expect(at(4, "metrics").metrics).toEqual(at(4, "metrics").firstBatch);
    expect(at(4, "metrics").metrics.efficacy.count).toBe(4);
    expect(at(8, "metrics").metrics.efficacy.count).toBe(8);
    expect(at(12, "metrics").metrics).toEqual(run.summary.after);
    const dataset = ["--dataset", `counterfact:${factsFile(family)}`, "--cases", "4"];
    expect(at(12, "metrics").firstBatch).toEqual((await evaluation(join(out, "model"), ...dataset)).metrics);
  });

  it("has the last of each in its summary, and its time under evaluation", () => {
    const { glue, perplexity, seconds } = run.summary;
    expect(at(12, "glue")).toMatchObject({ ...glue });
    expect(at(12, "perplexity")).toMatchObject({ ...perplexity });
    const measuring = run.evaluations.reduce((sum, line) => sum + line.seconds, 0);
    expect(measuring).toBeGreaterThan(0);
    expect(seconds.evaluation).toBeGreaterThan(measuring);
  });

  it("shows a line of each to a person", async () => {
    const { stdout } = await lyaplock(["run", "--out", out, "--resume"]);
    expect(stdout).toContain(`before the first edit: GLUE F1 ${at(0, "glue").f1.toFixed(3)} (SST `);
    expect(stdout).toContain(`after 8 edits: perplexity ${at(8, "perplexity").perplexity.toFixed(3)}\n`);
    const { efficacy } = at(8, "metrics").metrics;
    expect(stdout).toMatch(
      new RegExp(`^after 8 edits: efficacy ${efficacy.mean.toFixed(1)} %.*; of the first batch `, "m"),
    );
  });

  it("is not resumed with other content or another schedule", async () => {
    const other = join(directory, "glue");
    await cp(glueDirectory, other, { recursive: true });
    const resumed = (...more: string[]) => lyaplock(["run", "--out", stopped, "--resume", ...more]);
    const stopped = join(directory, "stopped");
    await cp(out, stopped, { recursive: true, filter: (path) => !path.endsWith("summary.json") });

    await writeFile(join(other, "cola.json"), `${await readFile(join(other, "cola.json"), "utf8")}\n`);
    const glue = await resumed("--glue", other);
    expect([glue.code, glue.stderr]).toEqual([1, expect.stringContaining("content of --glue")]);
    const perplexity = await resumed("--perplexity", factsFile(family));
    expect([perplexity.code, perplexity.stderr]).toEqual([1, expect.stringContaining("content of --perplexity")]);
    const schedule = await resumed("--glue-every", "7");
    expect([schedule.code, schedule.stderr]).toEqual([1, expect.stringContaining("--glue-every: 6 then, 7 now")]);
    expect((await resumed("--glue", glueDirectory)).code).toBe(0);
  });

  it("reads and checks what it measures before it writes anything", async () => {
    const bad = await lyaplock([...args, "--glue", directory, "--out", join(directory, "bad")]);
    expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining("sst2.json")]);
    await expect(readFile(join(directory, "bad", "run.json"))).rejects.toThrow("ENOENT");
  });
});
