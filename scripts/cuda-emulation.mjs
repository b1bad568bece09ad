// Builds and runs on the host what is meant for a GPU: test/cuda-emulation stands in for CUDA, cuBLAS and cuSOLVER.
//
//   node scripts/cuda-emulation.mjs [--sanitize] [NAME]    its own tests, then the native tests with the CUDA backend;
//                                                          --sanitize with AddressSanitizer and UBSanitizer; of the
//                                                          tests, only those whose name contains NAME
//   node scripts/cuda-emulation.mjs --addon [--unwatched]  the addon with CUDA, build/cuda-emulated/lyaplock-cuda.node,
//                                                          for LYAPLOCK_ADDON; prints its path; --unwatched one that is
//                                                          faster, and does not watch what kernels touch
//   node scripts/cuda-emulation.mjs --editing [--edits N]  golden tests on such an addon, and N edits (10) of the built-in
//                                                          model on the CPU and on it: the same numbers
//   node scripts/cuda-emulation.mjs --planted              the native tests with mistakes planted in the backend, each
//                                                          of which must be noticed
//   node scripts/cuda-emulation.mjs --declarations         compares the emulation's declarations with NVIDIA's, where those
//                                                          are found; LYAPLOCK_CUDA_INCLUDE=DIR:DIR names more folders
//
// Needs GCC on Linux: kernels are compiled with its -fsanitize=thread, of which only the calls before each access to
// memory are used.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import {
  buildAddon,
  buildNativeTests,
  buildOwnTests,
  compareDeclarations,
  root,
  SANITIZERS,
} from "./cuda-emulation-builds.mjs";
import { plantMistakes } from "./cuda-planted.mjs";
import { runVitest } from "./vitest.mjs";

/** The fixtures of the published implementation, and what is said of a GPU alone. */
const editingTests = [
  "test/cuda",
  "test/package/gpu-commands.test.ts",
  "test/golden/lyaplock.test.ts",
  "test/golden/sequential-edit.test.ts",
];

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`cuda-emulation: ${error.message}`);
  process.exitCode = 1;
}

async function main() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      sanitize: { type: "boolean" },
      addon: { type: "boolean" },
      unwatched: { type: "boolean" },
      editing: { type: "boolean" },
      edits: { type: "string", default: "10" },
      planted: { type: "boolean" },
      declarations: { type: "boolean" },
    },
  });
  if (values.addon) {
    console.log(await buildAddon({ watched: !values.unwatched }));
    return 0;
  }
  if (values.editing) return testEditing(values.edits);
  if (values.declarations) {
    const compared = await compareDeclarations();
    console.log(compared ? "declarations are NVIDIA's" : "no headers of CUDA were found to compare with");
    return 0;
  }
  if (values.planted) return plantMistakes(positionals[0]);
  const build = path.join(root, "build", values.sanitize ? "cuda-emulated-address" : "cuda-emulated");
  const sanitizers = values.sanitize ? SANITIZERS : [];
  const ownTests = await buildOwnTests(build, sanitizers);
  const nativeTests = await buildNativeTests(build, sanitizers);
  const codes = [await run(ownTests, positionals)];
  // The emulation is of one thread, and goes through the native tests in minutes: each core takes some.
  const parts = positionals.length > 0 ? 1 : Math.min(availableParallelism(), 8);
  const ofParts = Array.from({ length: parts }, (_, part) =>
    run(nativeTests, [positionals[0] ?? "", `${part}/${parts}`]),
  );
  codes.push(...(await Promise.all(ofParts)));
  return Math.max(...codes);
}

/** Returns the exit code. */
async function testEditing(edits) {
  const addon = await buildAddon({ watched: false });
  const { code, passed, failed } = runVitest(editingTests, {
    env: {
      LYAPLOCK_ADDON: addon,
      LYAPLOCK_CUDA_EDITS: edits,
      // The matrices are small, and the emulation is of one thread: others of BLAS would only wait for it, busily.
      OPENBLAS_NUM_THREADS: "1",
    },
    timeout: 1800,
  });
  console.log(`${passed} passed, ${failed} failed`);
  return code;
}

/** Returns the exit code. */
async function run(program, args) {
  const child = spawn(program, args, {
    cwd: root,
    // A refused allocation is a null pointer, as without the sanitizer: tests ask for the error that follows.
    env: {
      ...process.env,
      ASAN_OPTIONS: "allocator_may_return_null=1:abort_on_error=1",
      UBSAN_OPTIONS: "print_stacktrace=1",
    },
    stdio: "inherit",
  });
  const [status, signal] = await once(child, "exit");
  if (signal) console.error(`${path.basename(program)} ended by ${signal}`);
  return status ?? 1;
}
