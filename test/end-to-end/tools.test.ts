import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { GlueEvaluation } from "../../src/evaluate/index.js";
import type { RunPlan } from "../../src/run/plan.js";
import { glueDirectory } from "../support/glue.js";
import { FAMILIES, type Family, officialPath } from "../support/official.js";
import { temporaryDirectory } from "../support/temporary.js";
import { lyaplock, lyaplockJson } from "./command.js";
import { readTensors } from "./safetensors.js";
import { editingArguments, factsFile } from "./tiny.js";

const model = (family: Family) => ["--model", officialPath(family, "model")];

function float32(data: Buffer): Float32Array {
  return new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
}

function float64(data: Buffer): Float64Array {
  return new Float64Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
}

/** Largest difference, relative to the largest number; NaN where anything is. */
function relativeDifference(actual: Float32Array | Float64Array, expected: Float32Array | Float64Array): number {
  expect(actual.length).toBe(expected.length);
  let [difference, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    if (Number.isNaN(actual[i])) return Number.NaN;
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return difference / largest;
}

describe.each(FAMILIES)("%s", (family) => {
  it("lyaplock logits --all writes the logits of transformers", async () => {
    const out = join(await temporaryDirectory(), "logits.safetensors");
    const prompt = "The language of Ek Hi Bhool is";
    const args = ["logits", ...model(family), "--prompt", prompt, "--all", "--out", out];
    const next = await lyaplockJson<{ text: string; probability: number }[]>(args);
    expect(next[0]!.text).toBe(" H"); // of " Hindi"

    const { tokens, logits } = await readTensors(out);
    const expected = (await readTensors(officialPath(family, "expected", "forward.safetensors")))["logits.0"]!;
    expect(tokens).toMatchObject({ dtype: "I32", shape: [expected.shape[0]] });
    expect(logits).toMatchObject({ dtype: "F32", shape: expected.shape });
    // Two float32 implementations of six layers.
    expect(relativeDifference(float32(logits!.data), float32(expected.data))).toBeLessThan(1e-5);
  });

  it("lyaplock moments writes the second moments of the fixture", async () => {
    const out = join(await temporaryDirectory(), "moments");
    const texts = officialPath(family, "statistics", "texts.json");
    const { layers } = await lyaplockJson<{ layers: { layer: number; tokens: number }[] }>([
      ...["moments", ...model(family), "--text", texts, "--layers", "2-4", "--out", out],
    ]);
    expect(layers.map(({ layer }) => layer)).toEqual([2, 3, 4]);
    for (const { layer } of layers) {
      const name = `layer-${layer}.safetensors`;
      const actual = (await readTensors(join(out, name))).second_moment!;
      const expected = (await readTensors(officialPath(family, "statistics", name))).second_moment!;
      expect(actual).toMatchObject({ dtype: "F64", shape: expected.shape });
      // Keys are float32 numbers from two implementations, and the fixture was rounded to float32.
      expect(relativeDifference(float64(actual.data), float64(expected.data))).toBeLessThan(1e-5);
    }
  });

  it("lyaplock eval measures the unedited model", async () => {
    const args = ["eval", ...model(family), "--dataset", `counterfact:${factsFile(family)}`, "--cases", "5"];
    const { cases, metrics } = await lyaplockJson<{ cases: number; metrics: { efficacy: { mean: number } } }>(args);
    expect(cases).toBe(5);
    expect(metrics.efficacy.mean).toBe(0);
    expect((await lyaplock(args)).stdout).toMatch(/efficacy +0\.0 ± 0\.0/);
  });

  it("lyaplock eval foretells a text", async () => {
    const texts = officialPath(family, "statistics", "texts.json");
    const args = ["eval", ...model(family), "--perplexity", texts, "--tokens", "100", "--window", "30"];
    const found = await lyaplockJson<{ text: { perplexity: number; predicted: number }; metrics?: unknown }>(args);
    expect(found.text.predicted).toBe(96);
    expect(found.text.perplexity).toBeGreaterThan(1);
    expect(found.metrics).toBeUndefined();
    expect((await lyaplock(args)).stdout).toContain(`perplexity ${found.text.perplexity.toFixed(3)} over 96 tokens`);
  });

  it("lyaplock eval puts the tasks of GLUE", async () => {
    const args = ["eval", ...model(family), "--glue", glueDirectory];
    const { glue } = await lyaplockJson<{ glue: GlueEvaluation }>(args);
    expect(glue.tests.mmlu.map(({ index }) => index)).toEqual([10, 11, 12, 13]);
    const { stdout } = await lyaplock(args);
    const { invalid, f1New } = glue.tasks.cola;
    expect(stdout).toMatch(new RegExp(`^CoLA +\\d +\\d +${invalid} +4 .* ${f1New.toFixed(3)} `, "m"));
    expect(stdout).toMatch(new RegExp(`^mean +${glue.f1.toFixed(3)} +${glue.f1New.toFixed(3)}$`, "m"));
    const published = await lyaplockJson<{ glue: GlueEvaluation }>([...args, "--published-rte-labels"]);
    expect(published.glue.tests.rte[0]!.label).toBe(1 - glue.tests.rte[0]!.label);
  });

  it("lyaplock generate prints what it says with --json", async () => {
    const args = ["generate", ...model(family), "--prompt", "The language of", "--tokens", "20", "--seed", "3"];
    const { text } = await lyaplockJson<{ text: string }>(args);
    expect((await lyaplock(args)).stdout).toBe(`${text}\n`);
  });

  it("lyaplock generate draws with a seed", async () => {
    const generate = async (...more: string[]) =>
      (await lyaplockJson<{ text: string }>(["generate", ...model(family), "--prompt", "The language of", ...more]))
        .text;
    const text = await generate("--tokens", "12");
    expect(text).toMatch(/^The language of ./);
    expect(await generate("--tokens", "12", "--seed", "42")).toBe(text);
    expect(await generate("--tokens", "12", "--seed", "43")).not.toBe(text);
    expect(await generate("--tokens", "12", "--top-k", "1", "--seed", "1")).toBe(
      await generate("--tokens", "12", "--top-k", "1", "--seed", "2"),
    );
  });
});

describe("second moments from texts", () => {
  it("are collected once", async () => {
    const directory = await temporaryDirectory();
    const args = await editingArguments("tiny-llama", directory);
    const at = args.indexOf("--moments");
    args.splice(at, 2, "--text", officialPath("tiny-llama", "statistics", "texts.json"));
    const env = { LYAPLOCK_CACHE: join(directory, "cache") };
    const edit = (out: string) =>
      lyaplock(["edit", ...args, "--facts", factsFile("tiny-llama"), "--out", join(directory, out)], { env });
    const [first, second] = [await edit("first"), await edit("second")];
    expect([first.code, second.code]).toEqual([0, 0]);
    expect(first.stderr).toContain("second moments");
    expect(second.stderr).not.toContain("second moments");
  });
});

describe("lyaplock plan", () => {
  const shape = ["plan", "--key-width", "512", "--value-width", "128", "--layers", "3-5", "--edits", "900"];

  it("predicts, for people, what the model and the updates of the built-in model take", async () => {
    const { code, stdout } = await lyaplock(["plan", "--model", "builtin:atlas", "--edits", "2000", "--batch", "50"]);
    expect(code).toBe(0);
    expect(stdout).toContain("2000 facts with lyaplock, 50 at a time, into layers 0, 1 of builtin:atlas");
    expect(stdout).toMatch(/^model +21\.4 MiB +21\.4 MiB$/m);
    expect(stdout).toMatch(/^peak in all +\d+\.\d MiB +\d+\.\d MiB$/m);
    expect(stdout).toMatch(/^form +dual +dual, primal after \d+ facts$/m);
    expect(stdout).toMatch(/^time, at least +\d.* s +\d.* s$/m);
    expect(stdout).toContain("Not predicted");
  });

  it("predicts, for machines, what a shape takes", async () => {
    const plan = await lyaplockJson<RunPlan>(shape);
    expect(plan).toMatchObject({ model: null, layers: [3, 4, 5], keyWidth: 512, valueWidth: 128, batch: 100 });
    expect(plan.updates.weightStays.memory.keySpaces).toBe(3 * 8 * 512 ** 2);
    expect(plan.updates.weightChanges.seconds).toBeGreaterThan(0);
    expect(plan.peakBytes.weightChanges).toBe(plan.updates.weightChanges.peakBytes);
    expect(plan.onDevice).toBeNull();
  });

  const config = fileURLToPath(new URL("../configs/gpt-j-6b", import.meta.url));
  const planned = ["plan", "--model", config, "--edits", "300"];

  it("calculates, from config.json alone, what a GPU that is not here takes", async () => {
    const { code, stdout } = await lyaplock([
      ...planned,
      "--device",
      "rtx4090",
      "--matmul",
      "tf32",
      "--solve",
      "refined",
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^peak in all +\d+\.\d+ GiB/m);
    expect(stdout).toContain("On NVIDIA GeForce RTX 4090, with TF32 products: calculated, not measured.");
    expect(stdout).toContain("IT DOES NOT FIT");
    expect(stdout).toMatch(
      /^values, 25 steps +1\d{3} TFLOP +1\.\d+ TFLOP +– +\d+\.\d TiB +\d.* (arithmetic|memory), \d+ %$/m,
    );
    expect(stdout).toMatch(/^keys and residuals, 6 layers .*$/m);
    expect(stdout).toMatch(/^update of a layer, μ changes +– +– +\d.*arithmetic, \d+ %$/m);
    expect(stdout).toMatch(/^copies between host and device .* host link, 100 %$/m);
    expect(stdout).toMatch(/^an edit, μ stays +\d+\.\d+ s$/m);
    expect(stdout).toContain("Assumed: products reach 80 %");
  });

  it("calculates that, for machines", async () => {
    const { onDevice } = await lyaplockJson<RunPlan>([...planned, "--device", "h100"]);
    expect(onDevice).toMatchObject({ device: "h100", matmul: "f32", weightStays: { fits: true } });
    expect(onDevice!.weightStays.secondsPerEdit).toBeGreaterThan(0);
  });
});

describe("lyaplock doctor", () => {
  it("finds this machine well and says what it runs on", async () => {
    const report = await lyaplockJson<Record<string, unknown>>(["doctor", "--threads", "1"]);
    expect(report).toMatchObject({
      healthy: true,
      threads: 1,
      backend: expect.stringContaining("cpu"),
      gpu: expect.any(String),
    });
    expect(report.float64Gigaflops).toBeGreaterThan(0.1);
    expect((await lyaplock(["doctor"])).stdout).toContain("All is well.");
  });
});
