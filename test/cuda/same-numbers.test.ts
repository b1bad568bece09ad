// One run of the built-in model on the CPU and one on the GPU: the same numbers, but for the order of sums in float32.

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { BatchLine } from "../../src/run/batch-line.js";
import type { CaseLine, ExperimentResult } from "../../src/run/index.js";
import { readAllJsonLines } from "../../src/run/json-lines.js";
import { lyaplockJson } from "../end-to-end/command.js";
import { expectWithin, relativeError } from "../support/close.js";
import { makeTemporaryDirectory } from "../support/temporary.js";
import { readTensors } from "../support/tensors.js";
import { onCuda } from "./cuda.js";

const directory = await makeTemporaryDirectory();
/** On an emulated GPU a fact takes seconds. */
const edits = Number(process.env.LYAPLOCK_CUDA_EDITS ?? 10);
const batches = 5;
// Of 100 facts, losses differed by 5e-8 between a CPU and an emulated GPU; a kernel that is wrong is wrong by much more.
const ROUNDED = 1e-5;
const quantities = [
  "preservationLoss",
  "baseLoss",
  "threshold",
  "queue",
  "weight",
  "updateNorm",
  "residualNorm",
] as const;

describe.skipIf(!onCuda)(`${edits} edits of the built-in model`, () => {
  it("give the same losses, thresholds, queue, drift and hits on the CPU and on the GPU", async () => {
    await makeRuns();
    const [cpu, cuda] = await Promise.all(
      (["cpu", "cuda"] as const).map((device) => contentOf(join(directory, device))),
    );
    expect([cpu!.device, cuda!.device]).toEqual(["cpu", "cuda"]);

    expect(cuda!.batches.length).toBe(batches);
    for (const [b, { layers }] of cpu!.batches.entries()) {
      for (const [i, layer] of layers.entries()) {
        for (const quantity of quantities) {
          const found = cuda!.batches[b]!.layers[i]![quantity]!;
          expectWithin(
            found / layer[quantity]! - 1,
            ROUNDED,
            `${quantity} of layer ${layer.layer} after batch ${b + 1}`,
          );
        }
      }
    }
    // A queue that stayed at its beginning would be the same by itself.
    expect(Math.max(...cpu!.batches.at(-1)!.layers.map(({ queue }) => queue!))).toBeGreaterThan(1);

    expect(cpu!.weights.size).toBe(2);
    for (const [name, { values }] of cpu!.weights) {
      expectWithin(relativeError(cuda!.weights.get(name)!.values, values), ROUNDED, name);
    }
    for (const [i, { norm }] of cpu!.changes.entries()) {
      expectWithin(cuda!.changes[i]!.norm / norm - 1, ROUNDED, `the drift's norm, number ${i}`);
    }

    expect(cuda!.hits).toEqual(cpu!.hits);
    expect(cpu!.hits.flat(2).length).toBeGreaterThan(edits);
  });
});

async function makeRuns(): Promise<void> {
  // A threshold so low that the queue grows.
  const asked = ["--model", "builtin:atlas", "--dataset", "atlas", "--alpha", "1.5", "--dtype", "f32"];
  for (const device of ["cpu", "cuda"]) {
    const size = ["--edits", String(edits), "--batch", String(Math.ceil(edits / batches))];
    await lyaplockJson(["run", ...asked, ...size, "--device", device, "--out", join(directory, device)]);
  }
}

async function contentOf(run: string) {
  const { record, weightChanges } = await lyaplockJson<ExperimentResult>(["run", "--out", run, "--resume"]);
  const cases = await readAllJsonLines<CaseLine>(join(run, "cases.jsonl"));
  return {
    device: record.environment.device,
    changes: weightChanges,
    batches: await readAllJsonLines<BatchLine>(join(run, "batches.jsonl")),
    weights: await readTensors(join(run, "checkpoint", `weights-${String(batches).padStart(6, "0")}.safetensors`)),
    // What was hit and what was missed, without the probabilities behind it.
    hits: cases.map(({ after: { rewrite, paraphrases, neighborhood } }) =>
      [rewrite, ...paraphrases, ...neighborhood].map((score) =>
        Object.entries(score).filter(([, value]) => typeof value === "boolean"),
      ),
    ),
  };
}
