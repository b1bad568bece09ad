import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeTemporaryDirectory } from "../support/temporary.js";
import { type Finished, lyaplockJson, start } from "./command.js";
import { lastingContent } from "./run-files.js";
import { editingArguments, writeDataset } from "./tiny.js";

const family = "tiny-gpt2";
const directory = await makeTemporaryDirectory();
const dataset = await writeDataset(family, join(directory, "dataset.json"), 60);
const editing = [...(await editingArguments(family, directory)), "--batch", "10", "--skip-bad"];
const run = ["run", ...editing, "--dataset", `counterfact:${dataset}`];

/** Sends a signal once stderr has said something. */
function interrupt(args: string[], said: string, signal: NodeJS.Signals = "SIGINT"): Promise<Finished> {
  const started = start(args);
  const onText = () => {
    if (!started.output.stderr.includes(said)) return;
    started.process.stderr!.off("data", onText);
    started.process.kill(signal);
  };
  started.process.stderr!.on("data", onText);
  return started.finished;
}

describe("Ctrl-C", () => {
  it.each([
    ["editing", 130, "SIGINT"],
    ["metrics after", 130, "SIGINT"],
    ["editing", 143, "SIGTERM"],
  ] as const)("during %s ends a run with %i, and the run goes on as it is told", async (stage, exit, signal) => {
    const out = join(directory, `${stage}-${signal}`.replaceAll(" ", "-"));
    const { code, stdout, stderr } = await interrupt([...run, "--out", out], stage, signal);
    expect({ code, stdout }).toEqual({ code: exit, stdout: "" });
    const [, advice] = /Go on with: lyaplock (.*)/.exec(stderr) ?? [];
    expect(await readdir(out)).not.toContain("lock");

    await lyaplockJson(advice!.split(" "));
    const whole = join(directory, "whole");
    if (!(await readdir(directory)).includes("whole")) await lyaplockJson([...run, "--out", whole]);
    expect(await lastingContent(out)).toEqual(await lastingContent(whole));
  });

  it("leaves nothing of an edit", async () => {
    const out = join(directory, "edited");
    const { code, stderr } = await interrupt(["edit", ...editing, "--facts", dataset, "--out", out], "editing");
    expect(code).toBe(130);
    expect(stderr).toContain("Nothing was written.");
    expect((await readdir(directory)).filter((name) => name.startsWith("edited"))).toEqual([]);
  });
});
