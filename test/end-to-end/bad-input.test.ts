import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { officialJson, officialPath } from "../support/official.js";
import { temporaryDirectory } from "../support/temporary.js";
import { type Finished, lyaplock, lyaplockJson } from "./command.js";
import { withHeader, writeMatrix } from "./safetensors.js";
import { editingArguments, factsFile } from "./tiny.js";

const family = "tiny-llama";
const run = promisify(execFile);

/** A copy of the model that a test may break, and of its second moments. */
async function copies(): Promise<{ directory: string; model: string; moments: string }> {
  const directory = await temporaryDirectory();
  const model = join(directory, "model");
  const moments = join(directory, "moments");
  await cp(officialPath(family, "model"), model, { recursive: true });
  await cp(officialPath(family, "statistics"), moments, { recursive: true });
  return { directory, model, moments };
}

/** Later options win, so `more` can replace the fixture's. */
async function edit(directory: string, more: string[]): Promise<Finished> {
  const work = join(directory, "work");
  await mkdir(work);
  const args = await editingArguments(family, directory);
  return lyaplock(["edit", ...args, "--facts", factsFile(family), ...more, "--out", join(work, "edited")]);
}

/** Exit code 1, one clear line, and nothing written: not the model, nor half of it beside. */
async function expectRefusal(finished: Finished, directory: string, code: string, ...parts: string[]): Promise<void> {
  expect({ exit: finished.code, stderr: finished.stderr }).toMatchObject({ exit: 1 });
  expect(finished.stderr).toContain(`(${code})`);
  for (const part of parts) expect(finished.stderr).toContain(part);
  expect(finished.stderr).not.toMatch(/\n {4}at /); // no stack
  expect(await readdir(join(directory, "work"))).toEqual([]);
}

describe("a model", () => {
  it("that is cut short", async () => {
    const { directory, model } = await copies();
    await truncate(join(model, "model.safetensors"), 500_000);
    await expectRefusal(await edit(directory, ["--model", model]), directory, "ERR_MODEL_FORMAT", "model.safetensors");
  });

  it.each([
    ["claims a header longer than itself", () => Buffer.from([255, 255, 255, 255, 255, 255, 255, 127, 123])],
    [
      "claims data beyond its end",
      () => withHeader({ x: { dtype: "F32", shape: [9], data_offsets: [0, 36] } }, Buffer.alloc(4)),
    ],
    [
      "claims a shape its data has not",
      () => withHeader({ x: { dtype: "F32", shape: [3], data_offsets: [0, 4] } }, Buffer.alloc(4)),
    ],
    [
      "has a header that is not JSON",
      () => Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("nope")]),
    ],
    [
      "holds none of the tensors",
      () => withHeader({ x: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, Buffer.alloc(4)),
    ],
  ])("whose file %s", async (_, content) => {
    const { directory, model } = await copies();
    await writeFile(join(model, "model.safetensors"), content());
    await expectRefusal(await edit(directory, ["--model", model]), directory, "ERR_MODEL_FORMAT", "model.safetensors");
  });

  it("of an unknown architecture", async () => {
    const { directory, model } = await copies();
    const config = JSON.parse(await readFile(join(model, "config.json"), "utf8"));
    await writeFile(
      join(model, "config.json"),
      JSON.stringify({ ...config, model_type: "mamba", architectures: ["MambaForCausalLM"] }),
    );
    const finished = await edit(directory, ["--model", model]);
    await expectRefusal(finished, directory, "ERR_UNKNOWN_ARCHITECTURE", "MambaForCausalLM", "llama", "gpt2");
  });

  it("without a tokenizer", async () => {
    const { directory, model } = await copies();
    await rm(join(model, "tokenizer.json"));
    await expectRefusal(await edit(directory, ["--model", model]), directory, "ERR_TOKENIZER", "tokenizer.json");
  });
});

describe("a fact", () => {
  it.each([
    [
      "whose subject is not in its prompt",
      { prompt: "The capital is", subject: "Peru", target_new: "Lima" },
      "ERR_SUBJECT_NOT_IN_PROMPT",
      "Peru",
    ],
    [
      "with an empty target",
      { prompt: "The capital of {} is", subject: "Peru", target_new: " " },
      "ERR_EMPTY_TARGET",
      "target is empty",
    ],
    [
      "with an empty subject",
      { prompt: "The capital of {} is", subject: "", target_new: "Lima" },
      "ERR_FACT",
      "subject is empty",
    ],
  ])("%s", async (_, fact, code, part) => {
    const directory = await temporaryDirectory();
    const facts = join(directory, "facts.json");
    await writeFile(facts, JSON.stringify([fact]));
    await expectRefusal(await edit(directory, ["--facts", facts]), directory, code, part);
  });

  it("in a file that is not JSON", async () => {
    const directory = await temporaryDirectory();
    const facts = join(directory, "facts.json");
    await writeFile(facts, '[{"prompt": "The');
    await expectRefusal(await edit(directory, ["--facts", facts]), directory, "ERR_DATASET_FORMAT", "facts.json");
  });
});

describe("second moments", () => {
  it("with NaN in them", async () => {
    const { directory, moments } = await copies();
    const values = new Float64Array(160 * 160).fill(0.01);
    values[777] = Number.NaN;
    await writeMatrix(join(moments, "layer-3.safetensors"), "second_moment", values, [160, 160], { count: "5000" });
    await expectRefusal(
      await edit(directory, ["--moments", moments]),
      directory,
      "ERR_NOT_FINITE",
      "layer-3.safetensors",
    );
  });

  it("of the wrong width", async () => {
    const { directory, moments } = await copies();
    const values = new Float64Array(64 * 64).fill(0.01);
    await writeMatrix(join(moments, "layer-3.safetensors"), "second_moment", values, [64, 64], { count: "5000" });
    await expectRefusal(
      await edit(directory, ["--moments", moments]),
      directory,
      "ERR_SHAPE",
      "layer-3.safetensors",
      "160",
    );
  });

  it("of which a layer is missing", async () => {
    const { directory, moments } = await copies();
    await rm(join(moments, "layer-4.safetensors"));
    await expectRefusal(await edit(directory, ["--moments", moments]), directory, "ERR_FILE", "layer-4.safetensors");
  });

  it("that are not given, nor texts, for a model that has none of its own", async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, "work"));
    const args = ["--model", officialPath(family, "model"), "--facts", factsFile(family)];
    const finished = await lyaplock(["edit", ...args, "--out", join(directory, "work", "edited")]);
    await expectRefusal(finished, directory, "ERR_INVALID_ARGUMENT", "--text", "--moments");
  });
});

describe("a layer", () => {
  it("that the model does not have", async () => {
    const directory = await temporaryDirectory();
    await expectRefusal(await edit(directory, ["--layers", "4-9"]), directory, "ERR_INVALID_ARGUMENT", "layers 0 to 5");
  });
});

describe("an output directory", () => {
  it("that is not empty is left alone", async () => {
    const directory = await temporaryDirectory();
    const out = join(directory, "thesis");
    await mkdir(out);
    await writeFile(join(out, "thesis.tex"), "precious");
    const args = await editingArguments(family, directory);
    const edited = await lyaplock(["edit", ...args, "--facts", factsFile(family), "--out", out]);
    const dataset = ["--dataset", `counterfact:${factsFile(family)}`];
    const ran = await lyaplock(["run", ...args, ...dataset, "--out", out]);
    const resumed = await lyaplock(["run", ...args, ...dataset, "--out", out, "--resume"]);
    expect([edited.code, ran.code, resumed.code]).toEqual([1, 1, 1]);
    expect(edited.stderr).toContain("not empty");
    expect(ran.stderr).toContain("not a run of lyaplock");
    expect(await readdir(out)).toEqual(["thesis.tex"]);
  });
});

describe("a full disk", () => {
  /** A file system of a few kilobytes; the test is skipped, with its reason, where none can be mounted. */
  async function smallDisk(size: string, skip: (reason: string) => void): Promise<string> {
    const directory = await temporaryDirectory();
    try {
      await run("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", directory]);
    } catch (error) {
      skip(`a small disk cannot be mounted: ${(error as Error).message}`);
    }
    onTestFinished(async () => {
      await run("umount", [directory]);
    });
    return directory;
  }

  it("leaves nothing of an edited model", async ({ skip }) => {
    const disk = await smallDisk("400k", skip);
    const directory = await temporaryDirectory();
    const args = await editingArguments(family, directory);
    const { code, stderr } = await lyaplock([
      "edit",
      ...args,
      "--facts",
      factsFile(family),
      "--out",
      join(disk, "edited"),
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/disk is full|No space left/);
    expect(await readdir(disk)).toEqual([]);
  });

  it("stops a run, which goes on when there is room and ends as any other", async ({ skip }) => {
    const disk = await smallDisk("900k", skip);
    const directory = await temporaryDirectory();
    const args = [...(await editingArguments(family, directory)), "--dataset", `counterfact:${factsFile(family)}`];
    const out = join(disk, "run");
    const { code, stderr } = await lyaplock(["run", ...args, "--out", out]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/disk is full|No space left/);
    expect((await readdir(out)).filter((name) => name.includes(".tmp") || name === "model")).toEqual([]);

    await run("mount", ["-o", "remount,size=64m", disk]);
    await lyaplockJson(["run", "--out", out, "--resume"]);
    const whole = join(directory, "whole");
    await lyaplockJson(["run", ...args, "--out", whole]);
    const weights = join("model", "model.safetensors");
    expect((await readFile(join(out, weights))).equals(await readFile(join(whole, weights)))).toBe(true);
    expect(await readFile(join(out, "cases.jsonl"), "utf8")).toBe(await readFile(join(whole, "cases.jsonl"), "utf8"));
  });

  it("leaves nothing of logits or of second moments", async ({ skip }) => {
    const disk = await smallDisk("8k", skip);
    const model = ["--model", officialPath(family, "model")];
    const out = join(disk, "logits.safetensors");
    const logits = await lyaplock([
      "logits",
      ...model,
      "--prompt",
      "The language of Ek Hi Bhool is",
      "--all",
      "--out",
      out,
    ]);
    expect(logits.code).toBe(1);
    expect(logits.stderr).toContain("ERR_FILE");
    const texts = join(await temporaryDirectory(), "texts.json");
    await writeFile(texts, JSON.stringify(officialJson<unknown>(family, "statistics", "texts.json")));
    const moments = await lyaplock([
      "moments",
      ...model,
      "--text",
      texts,
      "--layers",
      "2",
      "--out",
      join(disk, "moments"),
    ]);
    expect(moments.code).toBe(1);
    expect(moments.stderr).toContain("ERR_FILE");
    expect(await readdir(disk, { recursive: true })).toEqual(expect.not.arrayContaining([expect.stringMatching(/\./)]));
  });
});
