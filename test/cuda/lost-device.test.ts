// A GPU that is lost in the middle of a run, or is too small: the run ends with an error that says so, and goes on from its
// checkpoint, on the GPU to the same bits.

import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ExperimentResult } from "../../src/run/index.js";
import { lyaplock, lyaplockJson } from "../end-to-end/command.js";
import { lastingContent } from "../end-to-end/run-files.js";
import { editingArguments, factsFile } from "../end-to-end/tiny.js";
import { expectWithin } from "../support/close.js";
import { officialJson } from "../support/official.js";
import { makeTemporaryDirectory, temporaryDirectory } from "../support/temporary.js";
import { isEmulated } from "./cuda.js";

const family = "tiny-llama";
const directory = await makeTemporaryDirectory();

/** As the fixtures, with values that are optimised in two steps: an emulated GPU takes its time. */
async function runArguments(out: string, device: string): Promise<string[]> {
  const asked = await editingArguments(family, directory);
  const hparams = join(directory, "two-steps.json");
  const { lyaplock: published } = officialJson<{ lyaplock: object }>(family, "hparams.json");
  await writeFile(hparams, JSON.stringify({ ...published, v_num_grad_steps: 2 }));
  const chosen = asked.map((value, i) => (asked[i - 1] === "--hparams" ? hparams : value));
  return ["run", ...chosen, "--dataset", `counterfact:${factsFile(family)}`, "--device", device, "--out", out];
}

/** How many facts a run's checkpoint holds. */
async function editsOf(out: string): Promise<number> {
  const text = await readFile(join(out, "checkpoint", "state.json"), "utf8").catch(() => undefined);
  return text === undefined ? 0 : (JSON.parse(text).editor?.edits ?? 0);
}

describe.skipIf(!isEmulated)("a GPU that is lost", () => {
  it("ends a run with an error; from the checkpoint it goes on there to the same bits, and on the CPU", async () => {
    const whole = join(directory, "whole");
    const truth = await lyaplockJson<ExperimentResult>(await runArguments(whole, "cuda"));

    const out = join(directory, "lost");
    const onCpu = join(directory, "on-cpu");
    const lostAfter: number[] = [];
    for (let copies = 64; ; copies *= 2) {
      const { code, stderr } = await lyaplock([...(await runArguments(out, "cuda")), "--resume"], {
        env: { LYAPLOCK_CUDA_EMULATION_FAIL: `cudaMemcpyAsync:${copies}+` },
      });
      if (code === 0) break;
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(/The GPU failed at .*--resume.*ERR_DEVICE/s),
      });
      const edits = await editsOf(out);
      if (edits > 0 && lostAfter.every((before) => before === 0)) await cp(out, onCpu, { recursive: true });
      lostAfter.push(edits);
    }
    // Lost before there was anything to lose proves nothing.
    expect(
      lostAfter.some((edits) => edits > 0 && edits < 12),
      `lost after ${lostAfter.join(", ")} edits`,
    ).toBe(true);
    expect(await lastingContent(out)).toEqual(await lastingContent(whole));

    const resumed = await lyaplockJson<ExperimentResult>(["run", "--device", "cpu", "--out", onCpu, "--resume"]);
    expect(resumed.summary.edits).toBe(12);
    for (const [i, { preservationLoss }] of truth.summary.layers.entries()) {
      expectWithin(
        resumed.summary.layers[i]!.preservationLoss / preservationLoss - 1,
        1e-3,
        `loss of layer number ${i}`,
      );
    }
  });
});

describe.skipIf(!isEmulated)("a GPU that is too small", () => {
  it("is told in numbers, and nothing is written", async () => {
    const out = join(await temporaryDirectory(), "run");
    const { code, stderr } = await lyaplock(await runArguments(out, "cuda"), {
      env: { LYAPLOCK_CUDA_EMULATION_MEMORY: String(1 << 20) },
    });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(
        /The GPU has no memory for [0-9.]+ MiB .*: [0-9.]+ MiB of 1 MiB are free.*smaller.*ERR_DEVICE_MEMORY/s,
      ),
    });
    expect(await editsOf(out)).toBe(0);
  });
});
