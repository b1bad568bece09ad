// The steps of npm run test:gpu and bench:gpu. Each gives { ok, passed?, failed?, says? }: says is what it printed last.

import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { buildAddon, buildNativeTests, root } from "./cuda-emulation-builds.mjs";
import { runVitest } from "./vitest.mjs";

/** Tests that compute on whatever the addon does: the published implementation's numbers, and the CPU's. */
const FIXTURES = ["test/golden", "test/cuda"];
/** Benchmarks that run on a GPU; the others are of the CPU's BLAS, or beside rivals on the CPU. */
const BENCHMARKS = ["update", "values", "tracing", "planned"];
/** Lines of a step that are kept. */
const LAST_LINES = 60;

/** @param out {string} where a step may leave files */
export function stepsOf(kind, { emulated, out, names }) {
  const built = emulated ? emulatedBuild() : realBuild();
  const environment = () => ({ LYAPLOCK_ADDON: built.addon() });
  const cli = (args, cwd) =>
    run(process.execPath, [path.join(root, "dist/cli/main.js"), ...args, "--device", "cuda"], environment(), cwd);
  const first = [
    { name: "build", needed: true, run: () => built.build(kind) },
    { name: "doctor", needed: true, run: () => cli(["doctor"]) },
  ];
  if (kind === "bench") {
    const file = path.join(out, "figures.json");
    const args = [
      "bench/main.mjs",
      ...(names.length > 0 ? names : BENCHMARKS),
      "--device",
      "cuda",
      "--out",
      file,
      ...(emulated ? ["--scale", "64"] : []),
    ];
    return [...first, { name: "benchmarks", run: () => run(process.execPath, args, environment()) }];
  }
  // An emulated GPU takes seconds for a fact.
  const edits = emulated ? ["--edits", "5"] : [];
  const fixtures = emulated ? ["test/golden/lyaplock.test.ts"] : FIXTURES;
  return [
    ...first,
    { name: "native tests", run: () => run(built.nativeTests(), emulated ? ["gelu"] : []) },
    { name: "fixtures", run: () => testFixtures(fixtures, environment()) },
    {
      name: "demo",
      run() {
        // It writes into runs/demo, and goes on with what it finds there.
        rmSync(path.join(out, "runs"), { recursive: true, force: true });
        mkdirSync(out, { recursive: true });
        return cli(["demo", ...edits], out);
      },
    },
  ];
}

function testFixtures(files, env) {
  const { code, passed, failed } = runVitest(files, { env: { LYAPLOCK_CUDA_EDITS: "100", ...env }, timeout: 1800 });
  return { ok: code === 0, passed, failed };
}

function realBuild() {
  const release = path.join(root, "build", "Release");
  const folder = path.join("build", "cuda-gpu");
  return {
    addon: () => path.join(release, "lyaplock-cuda.node"),
    nativeTests: () => path.join(release, "native-tests"),
    async build(kind) {
      const tests = kind === "test" ? "ON" : "OFF";
      const options = ["-DLYAPLOCK_CUDA=ON", `-DLYAPLOCK_NATIVE_TESTS=${tests}`];
      const commands = [
        [process.execPath, ["scripts/prepare.mjs"]],
        ["cmake", ["-S", ".", "-B", folder, ...options]],
        ["cmake", ["--build", folder, "--parallel", String(availableParallelism())]],
      ];
      let result;
      for (const [program, args] of commands) {
        result = await run(program, args);
        if (!result.ok) break;
      }
      return result;
    },
  };
}

function emulatedBuild() {
  let addon;
  let program;
  return {
    addon: () => addon,
    nativeTests: () => program,
    async build(kind) {
      addon = await buildAddon({ watched: false });
      if (kind === "test") program = await buildNativeTests(path.join(root, "build", "cuda-emulated"), []);
      return { ok: true };
    },
  };
}

/** Runs a program; what it prints is shown, and its last lines kept. */
function run(program, args, env = {}, cwd = root) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let printed = "";
    const keep = (stream) => (data) => {
      stream.write(data);
      printed = (printed + data).split("\n").slice(-LAST_LINES).join("\n");
    };
    child.stdout.on("data", keep(process.stdout));
    child.stderr.on("data", keep(process.stderr));
    child.on("error", (error) => resolve({ ok: false, says: error.message }));
    child.on("close", (code, signal) => {
      const counts = /^(\d+) passed, (\d+) failed$/m.exec(printed);
      resolve({
        ok: code === 0,
        ...(counts ? { passed: Number(counts[1]), failed: Number(counts[2]) } : {}),
        says: signal ? `${printed}\nended by ${signal}` : printed,
      });
    });
  });
}
