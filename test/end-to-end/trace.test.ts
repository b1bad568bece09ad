import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { TraceSummary } from "../../src/run/index.js";
import type { TracedFact } from "../../src/trace/index.js";
import { temporaryDirectory } from "../support/temporary.js";
import { lyaplock, lyaplockJson } from "./command.js";

const atlas = ["--model", "builtin:atlas"];
const trace = ["trace", ...atlas, "--known", "atlas", "--samples", "3"];

describe("lyaplock trace", { timeout: 180_000 }, () => {
  it("writes a line for each known fact, and averages, and names layers", async () => {
    const out = join(await temporaryDirectory(), "trace");
    const { code, stdout, stderr } = await lyaplock([...trace, "--facts", "3", "--kinds", "state,mlp", "--out", out]);
    expect(code, stderr).toBe(0);
    const lines = (await readFile(join(out, "trace.jsonl"), "utf8")).trimEnd().split("\n");
    const facts = lines.map((line) => JSON.parse(line) as TracedFact);
    expect(facts.length).toBe(3);
    for (const { tokens, tokenTexts, subjectRange, subject, scores, high, low } of facts) {
      expect(tokenTexts.slice(...subjectRange).join("")).toContain(subject);
      expect(Object.keys(scores)).toEqual(["state", "mlp"]);
      expect(scores.state!.map((row) => row.length)).toEqual(tokens.map(() => 5));
      expect(high).toBeGreaterThan(low);
    }
    const summary = JSON.parse(await readFile(join(out, "summary.json"), "utf8")) as TraceSummary;
    const ofLast = facts.map(({ scores, subjectRange: [, end], low }) => scores.mlp![end - 1]![1]! - low);
    expect(summary.average.facts).toBe(3);
    const found = summary.average.kinds.mlp!.lastSubject!;
    expect(found.mean[1]).toBeCloseTo(ofLast.reduce((a, b) => a + b, 0) / 3, 9);
    // Facts of the built-in model are in its lowest layers, and those are what its hyperparameters edit.
    expect(summary.suggestion!.layers).toEqual([0, 1]);
    expect(stdout).toContain("--layers 0-1");
    expect(stdout).toContain("Average indirect effect of hidden states");

    const again = await lyaplock([...trace, "--out", out]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("not empty")]);
  });

  it("suggests layers without tracing all else", async () => {
    const { suggestion, average } = await lyaplockJson<TraceSummary>([...trace, "--facts", "4", "--suggest-layers"]);
    expect(suggestion!.layers).toEqual([0, 1]);
    expect(Object.keys(average.kinds)).toEqual(["mlp"]);
    expect(Object.keys(average.kinds.mlp!)).toEqual(["lastSubject"]);
  });

  it("says what is wrong", async () => {
    const directory = await temporaryDirectory();
    const unknown = join(directory, "unknown.json");
    await writeFile(
      unknown,
      JSON.stringify([
        { known_id: 0, subject: "Annau", attribute: "no such place", prompt: "The city of Annau is in" },
      ]),
    );
    const out = join(directory, "trace");
    const none = await lyaplock(["trace", ...atlas, "--known", unknown, "--out", out]);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("knows none of the 1 facts")]);
    await expect(readFile(out)).rejects.toThrow("ENOENT");
    for (const [args, message] of [
      [trace, "--out"],
      [[...trace, "--out", out, "--kinds", "mlp,mlp"], "each once"],
      [[...trace, "--kinds", "state", "--suggest-layers"], "needs mlp"],
      [[...trace, "--out", out, "--noise", "-1"], "0 or more"],
    ] as const) {
      const { code, stderr } = await lyaplock([...args]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
    }
  });
});

describe("--layers auto", { timeout: 180_000 }, () => {
  it("edits the layers that tracing suggests, and keeps the evidence", async () => {
    const directory = await temporaryDirectory();
    const facts = join(directory, "facts.json");
    await writeFile(facts, JSON.stringify([{ prompt: "{} is in", subject: "Annau", target_new: "Peru" }]));
    const out = join(directory, "edited");
    const edit = ["edit", ...atlas, "--facts", facts, "--layers", "auto", "--out", out];
    const { code, stderr } = await lyaplock(edit);
    expect(code, stderr).toBe(0);
    const record = JSON.parse(await readFile(join(out, "lyaplock-edit.json"), "utf8"));
    expect(record.hyperparameters.layers).toEqual([0, 1]);
    expect(record.suggestion).toMatchObject({ layers: [0, 1], effects: { count: 20 } });

    const run = join(directory, "run");
    const options = ["--dataset", "atlas", "--edits", "2", "--batch", "2", "--layers", "auto", "--out", run];
    const { code: ran, stderr: told } = await lyaplock(["run", ...atlas, ...options]);
    expect(ran, told).toBe(0);
    expect(told).toContain("Layers 0, 1 were chosen by tracing 20 facts.");
    const { asked, hyperparameters, suggestion } = JSON.parse(await readFile(join(run, "run.json"), "utf8"));
    expect([asked.layers, hyperparameters.layers]).toEqual(["auto", [0, 1]]);
    expect(suggestion.layers).toEqual([0, 1]);
  });
});
