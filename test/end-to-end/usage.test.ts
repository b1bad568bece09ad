import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { lyaplock, lyaplockJson } from "./command.js";

const hasGpu = existsSync("/dev/nvidiactl");

const commands = ["demo", "edit", "run", "eval", "moments", "logits", "generate", "models", "plan", "report", "doctor"];

describe("help", () => {
  it("names every command", async () => {
    const { code, stdout } = await lyaplock(["--help"]);
    expect(code).toBe(0);
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
  });

  it.each(commands)("of %s goes to stdout and ends well", async (command) => {
    const { code, stdout, stderr } = await lyaplock([command, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`Usage: lyaplock ${command}`);
    for (const option of ["--device", "--threads", "--json"]) expect(stdout).toContain(option);
  });

  it("tells the version of the package", async () => {
    const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
    expect((await lyaplock(["--version"])).stdout).toBe(`${version}\n`);
  });
});

describe("wrong usage ends with 2", () => {
  it.each([
    [["frobnicate"], "frobnicate"],
    [["run", "--out", "x"], "--model"],
    [["edit", "--model", "m", "--facts", "f"], "--out"],
    [["run", "--out", "x", "--model", "m", "--dataset", "atlas", "--alpha", "0.5"], "--alpha"],
    [["run", "--out", "x", "--model", "m", "--dataset", "atlas", "--batch", "1.5"], "--batch"],
    [["run", "--out", "x", "--model", "m", "--dataset", "atlas", "--layers", "4-2"], "--layers"],
    [["run", "--out", "x", "--model", "m", "--dataset", "atlas", "--method", "magic"], "lyaplock"],
    [["run", "--out", "x", "--model", "m", "--dataset", "atlas", "--glue-every", "100"], "--glue-every"],
    [["run", "--out", "x", "--model", "m", "--dataset", "atlas", "--eval-every", "0"], "--eval-every"],
    [["run", "--out", "x", "--model", "m", "--dataset", "atlas", "--watch", "70000"], "--watch"],
    [["doctor", "--device", "tpu"], "auto"],
    [["eval", "--model", "m"], "--glue"],
    [["plan", "--model", "builtin:atlas"], "--edits"],
    [["plan", "--edits", "100"], "--model"],
    [["plan", "--edits", "100", "--key-width", "64", "--layers", "2"], "--value-width"],
    [["plan", "--edits", "100", "--model", "builtin:atlas", "--key-width", "64"], "--key-width"],
    [
      ["plan", "--edits", "9", "--device", "a100", "--key-width", "8", "--value-width", "4", "--layers", "1"],
      "--model",
    ],
    [["doctor", "--device", "a100"], "auto"],
    [["logits", "--model", "m", "--prompt", "p", "--all"], "--out"],
    [["models"], "action"],
    [["models", "steal"], "list"],
    [["models", "get"], "lyaplock models list"],
    [["moments"], "--model"],
    [["moments", "--list", "--prune"], "--prune"],
    [["moments", "--verify", "--model", "m"], "--model"],
    [["moments", "--model", "m", "--import", "x.npz"], "--out"],
    [["moments", "--model", "m", "--max-length", "0"], "--max-length"],
  ])("%j", async (args, named) => {
    const { code, stdout, stderr } = await lyaplock(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(named);
    expect(stderr).toContain("--help");
  });
});

describe("failures end with 1", () => {
  // Whichever is missing first: the addon with CUDA, its libraries, the driver, or the GPU.
  const missing = /No GPU can be used: .*(lyaplock-cuda\.node|lib(cu|nv)\w+\.so|NVIDIA driver)/s;

  it.skipIf(hasGpu)("cuda without a GPU says what is missing", async () => {
    const { code, stderr } = await lyaplock(["doctor", "--device", "cuda"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(missing);
    expect(stderr).toMatch(/--device cpu.*ERR_DEVICE/s);
  });

  it.skipIf(hasGpu)("auto without a GPU goes on with the CPU, and doctor says why", async () => {
    const report = await lyaplockJson<{ backend: string; gpu: string }>([
      "doctor",
      "--device",
      "auto",
      "--threads",
      "1",
    ]);
    expect(report.backend).toMatch(/^cpu /);
    expect(report.gpu).toMatch(missing);
  });

  it.each([
    ["--matmul", "tf32"],
    ["--solve", "refined"],
  ])("%s is not for the CPU", async (...option) => {
    const { code, stderr } = await lyaplock(["doctor", "--device", "cpu", ...option]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/Only on a GPU.*ERR_INVALID_ARGUMENT/s);
  });

  it("machines are told the code", async () => {
    const { code, stdout } = await lyaplock(["logits", "--model", "./no/such", "--prompt", "p", "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout).error.code).toBe("ERR_FILE");
  });
});
