import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RunDirectory } from "../../src/run/run-directory.js";

let parent: string;
let run: RunDirectory;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "lyaplock-directory-"));
  run = new RunDirectory(join(parent, "run"));
});
afterEach(() => rm(parent, { recursive: true }));

async function put(...names: string[]): Promise<void> {
  await mkdir(run.path, { recursive: true });
  for (const name of names) await writeFile(join(run.path, name), "{}");
}

describe("RunDirectory.state", () => {
  it.each([
    ["empty", []],
    ["empty", ["lock", "lock.0b3f", "run.json.0123abcd.tmp"]],
    ["interrupted", ["run.json", "batches.jsonl"]],
    ["interrupted", ["run.json", "summary.json.99aa99aa.tmp"]],
    ["finished", ["run.json", "summary.json"]],
    ["foreign", ["thesis.tex"]],
    ["foreign", ["summary.json"]],
    ["foreign", ["run.json.bak"]],
  ])("is %s with %j", async (state, names) => {
    await put(...names);
    expect(await run.state()).toBe(state);
  });

  it("is absent where nothing is", async () => {
    expect(await run.state()).toBe("absent");
  });
});

describe("RunDirectory.occupy", () => {
  it("removes what killed writers left, and nothing else", async () => {
    await put("run.json", "run.json.00000001.tmp", "summary.json.ffffffff.tmp", "notes.txt", "model.backup");
    await mkdir(join(run.path, "model.0a1b2c3d.tmp"));
    const lock = await run.occupy();
    expect((await readdir(run.path)).sort()).toEqual(["lock", "model.backup", "notes.txt", "run.json"]);
    await lock.release();
  });
});

describe("RunDirectory.clear", () => {
  const files = ["run.json", "summary.json", "batches.jsonl", "evaluations.jsonl", "cases.jsonl", "examples.json"];

  it("removes a run", async () => {
    await put(...files);
    await mkdir(join(run.path, "checkpoint"));
    await mkdir(join(run.path, "model"));
    await run.clear();
    expect(await readdir(run.path)).toEqual([]);
  });

  it("touches nothing where there is a file that is not of the run", async () => {
    await put(...files, "notes.txt");
    await expect(run.clear()).rejects.toMatchObject({ message: expect.stringContaining("notes.txt") });
    expect(await readdir(run.path)).toHaveLength(files.length + 1);
  });

  it("refuses a directory that holds no run", async () => {
    await put("thesis.tex");
    await expect(run.clear()).rejects.toMatchObject({ code: "ERR_RUN_DIRECTORY" });
    expect(await readdir(run.path)).toEqual(["thesis.tex"]);
  });
});
