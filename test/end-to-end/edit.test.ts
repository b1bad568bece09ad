import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { officialJson, officialPath } from "../support/official.js";
import { temporaryDirectory } from "../support/temporary.js";
import { lyaplock, lyaplockJson } from "./command.js";
import { readTensors } from "./safetensors.js";
import { editingArguments, factsFile } from "./tiny.js";

interface Outcome {
  record: { edits: number; skipped: { caseId: number }[]; weightChanges: { layer: number; changed: number }[] };
  examples: { target: string; now: string }[];
}

type NextTokens = { text: string; probability: number }[];

describe.each(["tiny-gpt2", "tiny-llama"] as const)("lyaplock edit of %s", (family) => {
  it("writes a model that loads again, with the facts in it and the edited matrices alone changed", async () => {
    const directory = await temporaryDirectory();
    const out = join(directory, "edited");
    const args = await editingArguments(family, directory);
    const { record, examples } = await lyaplockJson<Outcome>([
      "edit",
      ...args,
      "--facts",
      factsFile(family),
      "--out",
      out,
    ]);

    expect(record.edits).toBe(12);
    expect(record.weightChanges.map(({ layer }) => layer)).toEqual([2, 3, 4]);
    expect(JSON.parse(await readFile(join(out, "lyaplock-edit.json"), "utf8"))).toEqual(record);
    expect(JSON.parse(await readFile(join(out, "config.json"), "utf8")).dtype).toBe("float32");

    // Half of the facts at least are said now (the fixture's own success is 58 and 67 %), and by the saved model too.
    const learnt = examples.filter(({ target, now }) => now.trim() === target.trim());
    expect(learnt.length).toBeGreaterThanOrEqual(examples.length / 2);
    const [fact] = officialJson<{ prompt: string; subject: string; target_new: string }[]>(family, "requests.json");
    const prompt = fact!.prompt.replace("{}", fact!.subject);
    const saved = await lyaplockJson<NextTokens>(["logits", "--model", out, "--prompt", prompt]);
    const original = await lyaplockJson<NextTokens>([
      "logits",
      "--model",
      officialPath(family, "model"),
      "--prompt",
      prompt,
    ]);
    expect(saved[0]!.text).not.toBe(original[0]!.text);
    expect(fact!.target_new).toContain(saved[0]!.text.trim());

    const before = await readTensors(officialPath(family, "model", "model.safetensors"));
    const after = await readTensors(join(out, "model.safetensors"));
    expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
    const changed = Object.keys(before).filter((name) => !before[name]!.data.equals(after[name]!.data));
    expect(changed).toHaveLength(3);
    for (const name of changed) {
      expect(name).toMatch(/[.](2|3|4)[.]mlp[.](down_proj|c_proj)[.]weight$/);
      expect(after[name]!.shape).toEqual(before[name]!.shape);
    }
  });
});

describe("lyaplock edit --delta", () => {
  it("writes what changed, which makes the edited model of the original and back", async () => {
    const directory = await temporaryDirectory();
    const [delta, out] = [join(directory, "delta.safetensors"), join(directory, "edited")];
    const args = await editingArguments("tiny-llama", directory);
    const both = ["edit", ...args, "--facts", factsFile("tiny-llama"), "--delta", delta, "--out", out];
    const outcome = await lyaplockJson<{ delta: string; directory: string }>(both);
    expect(outcome).toMatchObject({ delta, directory: out });

    const original = ["--model", officialPath("tiny-llama", "model")];
    const next = (...model: string[]) => lyaplockJson<NextTokens>(["logits", ...model, "--prompt", "The language of"]);
    expect(await next(...original, "--apply-delta", delta)).toEqual(await next("--model", out));
    expect(await next(...original)).not.toEqual(await next("--model", out));

    const [put, off] = [join(directory, "put"), join(directory, "off")];
    await lyaplockJson(["edit", ...original, "--apply-delta", delta, "--out", put]);
    await lyaplockJson(["edit", "--model", out, "--remove-delta", delta, "--out", off]);
    const weights = async (of: string) => readTensors(join(of, "model.safetensors"));
    expect(await weights(put)).toEqual(await weights(out));
    expect(await weights(off)).toEqual(await weights(officialPath("tiny-llama", "model")));

    const again = await lyaplock(["generate", "--model", out, "--apply-delta", delta, "--prompt", "I"]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("in this model already");
    expect((await lyaplock(both)).stderr).toContain(`${out} exists`);
    expect((await lyaplock(["edit", ...args, "--facts", factsFile("tiny-llama"), "--delta", delta])).stderr).toContain(
      `${delta} exists`,
    );
  });

  it("is asked for what it needs", async () => {
    const model = ["edit", "--model", officialPath("tiny-llama", "model")];
    for (const [args, part] of [
      [model, "--facts"],
      [[...model, "--facts", factsFile("tiny-llama")], "--out"],
      [[...model, "--apply-delta", "x"], "--out"],
    ] as const) {
      const { code, stderr } = await lyaplock(args);
      expect(code).toBe(2);
      expect(stderr).toContain(part);
    }
  });
});

describe("lyaplock edit --dry-run", () => {
  it("prints how each fact would be edited and writes nothing", async () => {
    const directory = await temporaryDirectory();
    const args = await editingArguments("tiny-llama", directory);
    const { code, stdout } = await lyaplock(["edit", ...args, "--facts", factsFile("tiny-llama"), "--dry-run"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/3080 +"The language of \[Ek Hi Bhool\] is" +"ol" at 11 +13 +" Spanish" +good/);
    expect(stdout).toContain("All 12 facts are good.");
    expect(await readdir(directory)).toEqual(["tiny-llama-hparams.json"]);
  });
});

describe("bad facts", () => {
  async function withBadFacts(): Promise<{ directory: string; args: string[] }> {
    const directory = await temporaryDirectory();
    const good = officialJson<object[]>("tiny-llama", "requests.json").slice(0, 4);
    const facts = [
      ...good,
      { case_id: 1, prompt: "The capital of Peru is", subject: "Chile", target_new: "Lima" },
      { case_id: 2, prompt: "The capital of {} is", subject: "Peru", target_new: " " },
      { ...good[0], case_id: 3, target_new: "German" },
    ];
    const file = join(directory, "facts.json");
    await writeFile(file, JSON.stringify(facts));
    return { directory, args: [...(await editingArguments("tiny-llama", directory)), "--facts", file] };
  }

  it("fail the dry run, which names each", async () => {
    const { args } = await withBadFacts();
    const { code, stdout } = await lyaplock(["edit", ...args, "--dry-run"]);
    expect(code).toBe(1);
    expect(stdout).toContain("4 of 7 facts cannot be edited");
    expect(stdout).toMatch(/ERR_CONFLICTING_FACTS/);
    expect(stdout).toContain('neither "{}" nor the subject "Chile"');
    expect(stdout).toContain("the target is empty");
  });

  it("stop the edit before it begins", async () => {
    const { directory, args } = await withBadFacts();
    const { code, stderr } = await lyaplock(["edit", ...args, "--out", join(directory, "edited")]);
    expect(code).toBe(1);
    expect(stderr).toContain("Nothing was edited");
    expect(await readdir(directory)).not.toContain("edited");
  });

  it("are left out with --skip-bad, and recorded", async () => {
    const { directory, args } = await withBadFacts();
    const out = join(directory, "edited");
    const { record } = await lyaplockJson<Outcome>(["edit", ...args, "--out", out, "--skip-bad"]);
    expect(record.edits).toBe(3);
    expect(record.skipped.map(({ caseId }) => caseId).sort((a, b) => a - b)).toEqual([3, 4, 5, 3080]);
  });
});

describe("an unedited model", () => {
  it("is not saved as edited when no fact is left", async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, "facts.json");
    await writeFile(file, JSON.stringify([{ prompt: "{} is", subject: "X", target_new: "" }]));
    const args = await editingArguments("tiny-llama", directory);
    const out = join(directory, "edited");
    const { code, stderr } = await lyaplock(["edit", ...args, "--facts", file, "--skip-bad", "--out", out]);
    expect(code).toBe(1);
    expect(stderr).toContain("no fact to edit");
    expect(await readdir(directory)).not.toContain("edited");
  });
});
