import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { isEmulated } from "../cuda/cuda.js";
import { temporaryDirectory } from "../support/temporary.js";

const script = fileURLToPath(new URL("../../scripts/gpu.mjs", import.meta.url));
const hasGpu = existsSync("/dev/nvidiactl");

function gpu(...args: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });
  return { status, stderr };
}

describe("test:gpu and bench:gpu", () => {
  it.skipIf(hasGpu).each(["test", "bench"])(
    "%s says without a GPU what is missing, and writes nothing",
    async (kind) => {
      const out = join(await temporaryDirectory(), "report");
      const { status, stderr } = gpu(kind, "--out", out);
      expect(status).toBe(1);
      expect(stderr).toMatch(/cannot run it:.*NVIDIA GPU and its driver/s);
      expect(existsSync(out)).toBe(false);
    },
  );

  it("name what they do not know", () => {
    expect(gpu("tset")).toEqual({ status: 1, stderr: expect.stringContaining("say test or bench") });
  });

  it.skipIf(hasGpu)("report a step that fails", async () => {
    const out = await temporaryDirectory();
    // Nothing was built for it, so there is no GPU to be had.
    const { status } = gpu("test", "--emulated", "--only", "doctor", "--out", out);
    const report = JSON.parse(readFileSync(join(out, "report.json"), "utf8"));
    expect({ status, done: report.done }).toEqual({ status: 1, done: false });
    expect(report.results).toMatchObject([
      { name: "doctor", ok: false, says: expect.stringMatching(/No GPU can be used/) },
    ]);
    expect(readFileSync(join(out, "report.md"), "utf8")).toMatch(/something FAILED.*\| doctor \| FAILED \|.*No GPU/s);
  });
});

describe.skipIf(!isEmulated)("test:gpu and bench:gpu on the emulation", () => {
  it("build, run and report", async () => {
    const out = await temporaryDirectory();
    expect(gpu("bench", "--emulated", "--only", "d", "--out", out).status).toBe(0);
    const report = JSON.parse(readFileSync(join(out, "report.json"), "utf8"));
    expect(report).toMatchObject({
      kind: "bench",
      emulated: true,
      done: true,
      machine: { gpus: [{ name: "emulated" }] },
    });
    expect(report.results.map(({ name, ok }: { name: string; ok: boolean }) => [name, ok])).toEqual([
      ["build", true],
      ["doctor", true],
    ]);
    expect(readFileSync(join(out, "report.md"), "utf8")).toContain("cuda (emulated");
  });
});
