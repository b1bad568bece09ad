// Builds and runs test/native: the sources without the addon, and the tests, into one program.

import { spawnSync } from "node:child_process";
import path from "node:path";
import { findBlas } from "./blas.mjs";
import { baseFlags, compile, compileObjects, filesIn } from "./compile.mjs";

/** Returns the exit code of the tests. */
export async function runNativeTests({ root, sources }) {
  const folder = path.join(root, "build", "test");
  const flags = [...baseFlags, "-I", "native", "-I", "test/native", "-O3"];
  const all = [...sources, ...filesIn(root, "test/native", ".cpp")];
  const objects = await compileObjects({ root, folder, sources: all, flags });

  const program = path.join(folder, "native-tests");
  await compile(root, [...objects, "-o", program, ...flags, ...findBlas(), "-ldl"]);
  const { status, signal } = spawnSync(program, { cwd: root, stdio: "inherit" });
  if (signal) console.error(`native-tests ended by ${signal}`);
  return status ?? 1;
}
