import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../support/temporary.js";
import { lyaplock } from "./command.js";

const demo = ["demo", "--edits", "60"];

async function summary(directory: string): Promise<Record<string, never>> {
  return JSON.parse(await readFile(join(directory, "runs", "demo", "summary.json"), "utf8"));
}

describe("lyaplock demo", () => {
  it("shows and writes what happened; starts over when finished, goes on when interrupted", async () => {
    const cwd = await temporaryDirectory();
    const first = await lyaplock(demo, { cwd });
    expect(first).toMatchObject({ code: 0 });

    // What it says, by the parts that the issue asks for.
    for (const part of [
      /prompt +was +shall be +now/,
      /efficacy +\d+\.\d ± \d+\.\d +\d+\.\d ± \d+\.\d/,
      /layer +preservation loss +threshold +queue +weight/,
      /at or under its threshold|the queue is pulling it back/,
      /Preservation: the loss/,
      /\d matri(x|ces) changed/,
      /Time: moments .*values .* in all/,
      /Results: runs\/demo/,
    ]) {
      expect(first.stdout).toMatch(part);
    }

    // What it does: most facts are written, and it is the file that says so.
    const { before, after, edits } = await summary(cwd);
    expect(edits).toBe(60);
    expect((before as { efficacy: { mean: number } }).efficacy.mean).toBeLessThan(10);
    expect((after as { efficacy: { mean: number } }).efficacy.mean).toBeGreaterThan(80);
    expect(await readdir(join(cwd, "runs", "demo", "model"))).toContain("model.safetensors");

    // Finished, with a file that is not of the run: nothing is touched.
    const notes = join(cwd, "runs", "demo", "notes.txt");
    await writeFile(notes, "mine");
    expect((await lyaplock(demo, { cwd })).stderr).toContain("notes.txt");
    await rm(notes);

    // Finished: the next one starts over.
    const record = await readFile(join(cwd, "runs", "demo", "run.json"), "utf8");
    const second = await lyaplock(["demo", "--edits", "50"], { cwd });
    expect(second).toMatchObject({ code: 0 });
    expect((await summary(cwd)).edits).toBe(50);
    expect(await readFile(join(cwd, "runs", "demo", "run.json"), "utf8")).not.toBe(record);

    // Interrupted: the next one goes on, which shows in its doing no batch again.
    await rm(join(cwd, "runs", "demo", "summary.json"));
    const third = await lyaplock(["demo", "--edits", "50"], { cwd });
    expect(third).toMatchObject({ code: 0 });
    expect(third.stderr).not.toContain("editing");

    // Interrupted, and asked for something else.
    await rm(join(cwd, "runs", "demo", "summary.json"));
    const fourth = await lyaplock(demo, { cwd });
    expect(fourth.code).toBe(1);
    expect(fourth.stderr).toContain("--edits: 50 then, 60 now");
  }, 300_000);

  it("compares LyapLock with sequential MEMIT, and goes on after an interruption", async () => {
    const cwd = await temporaryDirectory();
    const compare = ["demo", "--compare", "--edits", "20"];
    const first = await lyaplock(compare, { cwd });
    expect(first).toMatchObject({ code: 0 });
    for (const part of [
      /before +LyapLock +MEMIT, sequential/,
      /efficacy, % +0\.0 ± 0\.0 +\d+\.\d ± \d+\.\d +\d+\.\d ± \d+\.\d/,
      /knowledge of other facts, % +100\.0 ± 0\.0 +\d/,
      /preservation loss of layer 0, of [\d.]+ +0 % +\d+ % +\d+ %/,
      /prompt +was +shall be +LyapLock +MEMIT, sequential/,
    ]) {
      expect(first.stdout).toMatch(part);
    }
    const place = (name: string) => join(cwd, "runs", "demo-compare", name);
    expect(JSON.parse(await readFile(join(place("memit-sequential"), "summary.json"), "utf8")).method).toBe(
      "memit-sequential",
    );

    // Interrupted in the second run: the first is left alone, the second goes on from its last batch.
    await rm(join(place("memit-sequential"), "summary.json"));
    const second = await lyaplock(compare, { cwd });
    expect(second).toMatchObject({ code: 0 });
    expect(second.stderr).not.toContain("editing (");
    expect(second.stdout.replace(/^seconds.*$/m, "")).toBe(first.stdout.replace(/^seconds.*$/m, ""));
  }, 300_000);

  it("touches nothing in a directory that is no run", async () => {
    const cwd = await temporaryDirectory();
    await mkdir(join(cwd, "runs", "demo"), { recursive: true });
    await writeFile(join(cwd, "runs", "demo", "summary.json"), "mine");
    const { code, stderr } = await lyaplock(demo, { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain("is not a run of lyaplock");
    expect(await readdir(join(cwd, "runs", "demo"))).toEqual(["summary.json"]);
  });
});
