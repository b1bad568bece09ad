import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { makeTemporaryDirectory } from "../support/temporary.js";
import { lyaplock, lyaplockJson } from "./command.js";
import { editingArguments, factsFile, writeDataset } from "./tiny.js";

const family = "tiny-llama";
const directory = await makeTemporaryDirectory();
let args: string[];
let out: string;

beforeAll(async () => {
  args = ["run", ...(await editingArguments(family, directory)), "--dataset", `counterfact:${factsFile(family)}`];
  out = join(directory, "run");
  await lyaplockJson([...args, "--metrics-before", "--out", out]);
});

async function json(...path: string[]): Promise<Record<string, never>> {
  return JSON.parse(await readFile(join(out, ...path), "utf8"));
}

async function lines(name: string): Promise<Record<string, never>[]> {
  return (await readFile(join(out, name), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("a run directory", () => {
  it("holds what the architecture says, and no half-written file", async () => {
    const lines = ["batches.jsonl", "cases.jsonl", "checkpoint", "evaluations.jsonl"];
    expect((await readdir(out)).sort()).toEqual([...lines, "examples.json", "model", "run.json", "summary.json"]);
    expect((await readdir(join(out, "checkpoint"))).sort()).toEqual([
      "before.jsonl",
      "ledger-000001.safetensors",
      "ledger-000002.safetensors",
      "ledger-000003.safetensors",
      "state.json",
      "weights-000003.safetensors",
    ]);
  });

  it("has a line per batch", async () => {
    const batches = await lines("batches.jsonl");
    expect(batches.map(({ batch, edits }) => [batch, edits])).toEqual([
      [1, 4],
      [2, 8],
      [3, 12],
    ]);
    for (const line of batches) {
      const { alarms: _, ...always } = line; // where one was raised
      expect(Object.keys(always)).toEqual(["batch", "edits", "layers", "unconverged", "seconds", "residentBytes"]);
      expect(Object.keys(line.seconds!)).toEqual(["values", "keys", "updates", "evaluation"]);
      for (const layer of line.layers as object[]) {
        expect(Object.keys(layer)).toEqual([
          "layer",
          "preservationLoss",
          "baseLoss",
          "threshold",
          "queue",
          "weight",
          "updateNorm",
          "residualNorm",
          "solveResidual",
          "form",
        ]);
      }
    }
  });

  it("has a line per fact, with scores before and after for every prompt", async () => {
    const cases = await lines("cases.jsonl");
    expect(cases).toHaveLength(12);
    expect(cases[0]).toEqual({ caseId: 3080, before: expect.any(Object), after: expect.any(Object) });
    for (const when of ["before", "after"]) {
      const scores = cases[0]![when]! as Record<string, never>;
      expect(Object.keys(scores)).toEqual(["rewrite", "paraphrases", "neighborhood"]);
      expect(scores.rewrite).toMatchObject({ prompt: "The language of Ek Hi Bhool is" });
    }
  });

  it("has the numbers of the published implementation in its summary", async () => {
    const summary = await json("summary.json");
    const measured = ["before", "after", "byBatch", "glue", "perplexity", "knowledge"];
    expect(Object.keys(summary)).toEqual(["method", "edits", ...measured, "seconds", "layers"]);
    // test/fixtures/official/README.md: rewrite success 0 → 58 %, and a·Z after batch 3.
    expect(summary).toMatchObject({
      method: "lyaplock",
      edits: 12,
      before: { efficacy: { mean: 0, count: 12 } },
      after: { efficacy: { mean: expect.closeTo(58.33, 2), count: 12 } },
      glue: null,
      perplexity: null,
    });
    const queues = (summary.layers as { queue: number }[]).map(({ queue }) => Number(queue.toFixed(2)));
    expect(queues).toEqual([2.32, 2.5, 2.78]);
    expect(summary.seconds).toMatchObject({ values: expect.any(Number), total: expect.any(Number) });
  });

  it("records what was asked", async () => {
    const record = await json("run.json");
    const sha256 = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(record).toMatchObject({
      asked: { alpha: 1.5, batch: 4, edits: null, metricsBefore: true },
      model: { name: "model", hash: sha256 },
      dataset: { hash: sha256, facts: 12 },
      method: { name: "lyaplock", alpha: 1.5 },
      hyperparameters: { layers: [2, 3, 4], covarianceWeight: 15 },
      seed: 42,
      environment: { device: "cpu", lyaplock: expect.any(String), node: process.versions.node },
    });
  });
});

describe("a finished run", () => {
  it("is shown, and not done again, when resumed", async () => {
    const before = await readFile(join(out, "summary.json"), "utf8");
    const { code, stdout } = await lyaplock(["run", "--out", out, "--resume"]);
    expect(code).toBe(0);
    expect(stdout).toContain("finished before; nothing was done");
    expect(stdout).toContain("3 matrices changed");
    expect(await readFile(join(out, "summary.json"), "utf8")).toBe(before);
  });

  it("is not overwritten without --resume", async () => {
    const { code, stderr } = await lyaplock([...args, "--out", out]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/finished run.*Choose another directory/);
  });

  it("refuses other options by name", async () => {
    const { code, stderr } = await lyaplock([...args, "--seed", "7", "--out", out, "--resume"]);
    expect(code).toBe(1);
    expect(stderr).toContain("--seed: 42 then, 7 now");
  });
});

describe("an interrupted run", () => {
  /** What a run killed before its summary leaves. */
  async function interrupted(): Promise<string> {
    await rm(join(out, "summary.json"), { force: true });
    return out;
  }

  it("is refused without --resume, with advice", async () => {
    const { code, stderr } = await lyaplock([...args, "--metrics-before", "--out", await interrupted()]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/was interrupted.*--resume/);
  });

  it("refuses a dataset of other content, whatever its name", async () => {
    const other = await writeDataset(family, join(directory, "other.json"), 12);
    const { code, stderr } = await lyaplock([
      "run",
      "--dataset",
      `counterfact:${other}`,
      "--out",
      await interrupted(),
      "--resume",
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain("content of --dataset");
  });

  it("is refused while a live process runs in it", async () => {
    const holder = { pid: process.pid, host: hostname(), started: null, token: "a-test" };
    await writeFile(join(await interrupted(), "lock"), JSON.stringify(holder));
    const { code, stderr } = await lyaplock(["run", "--out", out, "--resume"]);
    await rm(join(out, "lock"));
    expect(code).toBe(1);
    expect(stderr).toContain(`in use by process ${process.pid}`);
  });

  it("refuses a checkpoint that was tampered with", async () => {
    const weights = join(await interrupted(), "checkpoint", "weights-000003.safetensors");
    const content = await readFile(weights);
    const changed = Buffer.from(content);
    changed[changed.length - 1]! ^= 1;
    await writeFile(weights, changed);
    const { code, stderr } = await lyaplock(["run", "--out", out, "--resume"]);
    await writeFile(weights, content);
    expect(code).toBe(1);
    expect(stderr).toMatch(/weights-000003.safetensors.*checksum/);
  });

  it("goes on, from another directory too, with no option but --out", async () => {
    await interrupted();
    const { code } = await lyaplock(["run", "--out", "run", "--resume"], { cwd: directory });
    expect(code).toBe(0);
    expect(await readdir(out)).toContain("summary.json");
    expect(await readdir(out)).not.toContain("lock");
  });
});

describe("a run over bad facts", () => {
  it("stops before it begins, or leaves them out and says which", async () => {
    const facts = JSON.parse(await readFile(factsFile(family), "utf8")) as { target_new: string }[];
    facts[1]!.target_new = " ";
    const dataset = join(directory, "bad.json");
    await writeFile(dataset, JSON.stringify(facts));
    const bad = [...args, "--dataset", `counterfact:${dataset}`, "--out", join(directory, "bad")];

    const refused = await lyaplock(bad);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("record 1: the target is empty");
    expect(await readdir(directory)).not.toContain("bad");

    const { summary, record } = await lyaplockJson<{ summary: { edits: number }; record: { skipped: object[] } }>([
      ...bad,
      "--skip-bad",
    ]);
    expect(summary.edits).toBe(11);
    expect(record.skipped).toEqual([
      { caseId: 1, problems: [expect.objectContaining({ code: "ERR_DATASET_FORMAT" })] },
    ]);
  });
});

it("a run begins with what a delta has changed, and saves its model in the type that was asked for", async () => {
  const [delta, changed] = [join(directory, "delta.safetensors"), join(directory, "changed")];
  const editing = await editingArguments(family, directory);
  await lyaplockJson(["edit", ...editing, "--facts", factsFile(family), "--delta", delta]);
  await lyaplockJson([...args, "--edits", "4", "--apply-delta", delta, "--dtype", "bf16", "--out", changed]);

  const [record, plain] = await Promise.all(
    [changed, out].map(async (run) => JSON.parse(await readFile(join(run, "run.json"), "utf8"))),
  );
  expect(record.asked).toMatchObject({ applyDelta: [delta], dtype: "bf16" });
  expect(record.model.hash).not.toBe(plain.model.hash);
  const { weightChanges } = JSON.parse(await readFile(join(changed, "model", "lyaplock-edit.json"), "utf8"));
  for (const { norm, saved } of weightChanges) {
    expect(saved.type).toBe("BF16");
    expect(saved.rounding).toBeGreaterThan(0);
    expect(saved.rounding).toBeLessThan(norm);
  }
  const { code, stdout } = await lyaplock(["run", "--out", changed, "--resume"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/rounded to BF16 .* by up to [\d.]+ % .* --dtype f32/);
});
