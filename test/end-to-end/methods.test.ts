// Methods that are not solved layer by layer, through the command line.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { officialPath } from "../support/official.js";
import { temporaryDirectory } from "../support/temporary.js";
import { lyaplockJson, start } from "./command.js";
import { readTensors } from "./safetensors.js";
import { factsFile } from "./tiny.js";

interface Outcome {
  record: { edits: number; layers: object[] };
  examples: { target: string; now: string }[];
}
interface Summary {
  after: { efficacy: { mean: number } };
}

/** What the fixtures' FT trains of tiny-gpt2. */
const trained = ["transformer.h.2.mlp.c_proj.bias", "transformer.h.2.mlp.c_proj.weight"];

/** hparams.json has a section for every method. */
const argumentsFor = (family: "tiny-gpt2" | "tiny-llama", method: string) => [
  ...["--model", officialPath(family, "model"), "--hparams", officialPath(family, "hparams.json")],
  ...["--moments", officialPath(family, "statistics"), "--method", method],
];

async function changedTensors(family: "tiny-gpt2" | "tiny-llama", directory: string): Promise<string[]> {
  const before = await readTensors(officialPath(family, "model", "model.safetensors"));
  const after = await readTensors(join(directory, "model.safetensors"));
  return Object.keys(before).filter((name) => !before[name]!.data.equals(after[name]!.data));
}

describe("lyaplock edit --method ft", () => {
  it("trains one matrix and its bias, and saves both", async () => {
    const out = join(await temporaryDirectory(), "edited");
    const args = [...argumentsFor("tiny-gpt2", "ft"), "--facts", factsFile("tiny-gpt2"), "--batch", "12"];
    const { record, examples } = await lyaplockJson<Outcome>(["edit", ...args, "--out", out]);
    expect(record.edits).toBe(12);
    expect(record.layers).toMatchObject([{ layer: 2, weight: null, residualNorm: null }]);
    expect((await changedTensors("tiny-gpt2", out)).sort()).toEqual(trained);
    const learnt = examples.filter(({ target, now }) => target.trim().startsWith(now.trim()));
    expect(learnt.length).toBeGreaterThanOrEqual(examples.length / 2);
  });
});

describe("lyaplock run --method ft", () => {
  it("goes on, killed and resumed, with the bias it had trained", async () => {
    const directory = await temporaryDirectory();
    const dataset = ["--dataset", `counterfact:${factsFile("tiny-gpt2")}`];
    const args = ["run", ...argumentsFor("tiny-gpt2", "ft"), ...dataset, "--batch", "1"];
    const [whole, killed] = [join(directory, "whole"), join(directory, "killed")];
    await lyaplockJson([...args, "--out", whole]);

    const run = start([...args, "--out", killed]);
    const isOver = run.finished.then(() => true);
    while (!(await hasBatch(killed, 3))) {
      if (await Promise.race([isOver, setTimeout(2)])) break;
    }
    run.process.kill("SIGKILL");
    expect((await run.finished).signal).toBe("SIGKILL");
    await lyaplockJson([...args, "--out", killed, "--resume"]);

    const [there, here] = await Promise.all(
      [whole, killed].map((out) => readTensors(join(out, "model", "model.safetensors"))),
    );
    for (const name of trained) expect(here![name]!.data.equals(there![name]!.data), name).toBe(true);
  });
});

describe("lyaplock run --method rome", () => {
  it("edits one matrix fact by fact, in contexts of its own sampling", async () => {
    const out = join(await temporaryDirectory(), "run");
    const dataset = ["--dataset", `counterfact:${factsFile("tiny-llama")}`, "--batch", "4", "--edits", "8"];
    const args = ["run", ...argumentsFor("tiny-llama", "rome"), ...dataset];
    const { summary } = await lyaplockJson<{ summary: Summary }>([...args, "--out", out]);
    expect(summary).toMatchObject({ method: "rome", edits: 8, layers: [{ layer: 3, weight: null }] });
    expect(summary.after.efficacy.mean).toBeGreaterThanOrEqual(50);
    const { contextTemplates } = JSON.parse(await readFile(join(out, "run.json"), "utf8"));
    expect(contextTemplates.map((group: string[]) => group.length)).toEqual([21]);
    expect(contextTemplates[0][0]).toBe("{}");
    expect(await changedTensors("tiny-llama", join(out, "model"))).toEqual(["model.layers.3.mlp.down_proj.weight"]);
  });
});

async function hasBatch(run: string, batch: number): Promise<boolean> {
  const text = await readFile(join(run, "checkpoint", "state.json"), "utf8").catch(() => "{}");
  return (JSON.parse(text).editor?.batches ?? 0) >= batch;
}
