import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { officialJson, officialPath } from "../support/official.js";
import { makeTemporaryDirectory } from "../support/temporary.js";
import { lyaplock, lyaplockJson, start } from "./command.js";
import { factsFile } from "./tiny.js";

const family = "tiny-llama";
const directory = await makeTemporaryDirectory();
const config = join(directory, "experiment.json");
const out = join(directory, "runs");
const begin = ["run", "--config", config, "--out", out];

/** Two runs that can be done, and between them one whose hyperparameters are missing. */
const experiment = {
  models: {
    name: "tiny",
    model: officialPath(family, "model"),
    hparams: "hparams.json",
    moments: officialPath(family, "statistics"),
    contextTemplates: officialPath(family, "context_templates.json"),
  },
  datasets: `counterfact:${factsFile(family)}`,
  methods: [
    "lyaplock",
    { name: "broken", method: "lyaplock", hparams: "missing.json" },
    { name: "last", method: "lyaplock" },
  ],
  ...{ alpha: 1.5, batch: 4 },
};
const [first, broken, last] = ["lyaplock", "broken", "last"].map((name) => `tiny-counterfact-${name}-alpha1.5`);

interface Result {
  runs: { name: string; state: string; error?: { code: string } }[];
}

beforeAll(async () => {
  await writeFile(config, JSON.stringify(experiment));
  const { lyaplock } = officialJson<{ lyaplock: object }>(family, "hparams.json");
  await writeFile(join(directory, "hparams.json"), JSON.stringify(lyaplock));
});

describe("lyaplock run --config", () => {
  it("goes on after a run that fails, and says at the end which did, with exit code 1", async () => {
    const { code, stdout, stderr } = await lyaplock(begin);
    expect(code).toBe(1);
    expect(stderr).toContain(`Run 1 of 3: ${first}`);
    expect(stderr).toContain("run 3 of 3, editing");
    expect(stdout).toMatch(new RegExp(`${broken} +failed: ERR_FILE`));
    expect(stdout).toContain("1 of 3 runs failed:");
    expect(stdout).toContain("missing.json");
    expect((await readdir(out)).sort()).toEqual(["runs.json", last, first].sort());
    const summary = JSON.parse(await readFile(join(out, last!, "summary.json"), "utf8"));
    expect(summary.after.efficacy.mean).toBeCloseTo(58.33, 2); // test/fixtures/official/README.md
  });

  it("is not begun over without --resume", async () => {
    const { code, stderr } = await lyaplock(begin);
    expect(code).toBe(1);
    expect(stderr).toMatch(/holds an experiment.*--resume/);
  });

  it("tries the failed run again with --resume, goes on with an interrupted one and leaves finished ones alone", async () => {
    const { lyaplock: hparams } = officialJson<{ lyaplock: object }>(family, "hparams.json");
    await writeFile(join(directory, "missing.json"), JSON.stringify(hparams));
    const untouched = await readFile(join(out, first!, "summary.json"), "utf8");
    await rm(join(out, last!, "summary.json"));

    const { runs } = await lyaplockJson<Result>([...begin, "--resume"]);
    expect(runs.map(({ name, state }) => [name, state])).toEqual([
      [first, "finished"],
      [broken, "finished"],
      [last, "finished"],
    ]);
    expect(await readFile(join(out, first!, "summary.json"), "utf8")).toBe(untouched);
    expect(await readdir(join(out, last!))).toContain("summary.json");
  });

  it("stops at a signal, and goes on to the end with --resume", async () => {
    const place = join(directory, "stopped");
    const args = ["run", "--config", config, "--out", place];
    const run = start(args);
    await new Promise<void>((resolve) => {
      run.process.stderr!.on("data", () => {
        if (run.output.stderr.includes("Run 2 of 3")) resolve();
      });
    });
    run.process.kill("SIGINT");
    const { code, stderr } = await run.finished;
    expect(code).toBe(130);
    expect(stderr).toContain(`Go on with: lyaplock run --out ${place} --resume`);

    const { runs } = await lyaplockJson<Result>(["run", "--out", place, "--resume"]);
    expect(runs.map(({ state }) => state)).toEqual(["finished", "finished", "finished"]);
  });

  it("goes on without naming the file only where the directory does", async () => {
    const older = join(directory, "older");
    await mkdir(older);
    await writeFile(join(older, "runs.json"), JSON.stringify({ version: 1, runs: [] }));
    const { code, stderr } = await lyaplock(["run", "--out", older, "--resume"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/does not say of which file its runs are.*--config.*ERR_RUN_DIRECTORY/);
    const beside = await lyaplock(["run", "--out", out, "--resume", "--batch", "3"]);
    expect([beside.code, beside.stderr]).toEqual([2, expect.stringContaining("--batch is no option of --config")]);
  });

  it("refuses other options beside it, and a directory that holds something else", async () => {
    const { code, stderr } = await lyaplock([...begin, "--batch", "3"]);
    expect(code).toBe(2);
    expect(stderr).toContain("--batch is no option of --config");
    const foreign = await lyaplock(["run", "--config", config, "--out", directory]);
    expect(foreign.code).toBe(1);
    expect(foreign.stderr).toContain("is not empty and holds no experiment");
  });
});
