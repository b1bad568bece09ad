// Builds and runs test/native: the sources without the addon, and the tests, into one program. An object is compiled
// again when its source, any header or the flags are newer than it.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { findBlas } from "./blas.mjs";

// As in binding.gyp.
const warnings = [
  "-Wall",
  "-Wextra",
  "-Werror",
  "-Wno-psabi",
  ...(process.platform === "linux" ? ["-Wno-restrict"] : []),
];
const numerics = ["-fno-math-errno", "-fno-trapping-math"];

/** Returns the exit code of the tests. */
export async function runNativeTests({ root, sources, sanitize }) {
  const folder = path.join(root, "build", sanitize ? "sanitize" : "test");
  mkdirSync(folder, { recursive: true });
  const optimisation = sanitize
    ? ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    : ["-O3"];
  const flags = [
    "-std=c++20",
    "-pthread",
    "-I",
    "native",
    "-I",
    "test/native",
    ...numerics,
    ...warnings,
    ...optimisation,
  ];
  const stamp = path.join(folder, "flags");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== flags.join(" ")) writeFileSync(stamp, flags.join(" "));

  const all = [...sources, ...filesIn(root, "test/native", ".cpp")];
  const headers = [...filesIn(root, "native", ".h"), ...filesIn(root, "test/native", ".h")];
  const newestInput = Math.max(
    statSync(stamp).mtimeMs,
    ...headers.map((name) => statSync(path.join(root, name)).mtimeMs),
  );
  const objects = all.map((name) => path.join(folder, `${name.replaceAll("/", "_")}.o`));
  const stale = all.flatMap((source, i) => {
    const object = objects[i];
    const needed = Math.max(newestInput, statSync(path.join(root, source)).mtimeMs);
    return existsSync(object) && statSync(object).mtimeMs > needed ? [] : [{ source, object }];
  });
  await inParallel(stale, ({ source, object }) => compile(root, ["-c", source, "-o", object, ...flags]));

  const program = path.join(folder, "native-tests");
  await compile(root, [...objects, "-o", program, ...flags, ...findBlas(), "-ldl"]);
  // A refused allocation is a null pointer, as without the sanitizer: tests ask for the error that follows.
  const env = { ...process.env, ASAN_OPTIONS: "allocator_may_return_null=1", UBSAN_OPTIONS: "print_stacktrace=1" };
  const { status, signal } = spawnSync(program, { cwd: folder, stdio: "inherit", env });
  if (signal) console.error(`native-tests ended by ${signal}`);
  return status ?? 1;
}

function filesIn(root, folder, ending) {
  return readdirSync(path.join(root, folder), { recursive: true })
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`)
    .sort();
}

/** Runs the compiler; what it says is shown as it comes. */
function compile(root, args) {
  return new Promise((resolve, reject) => {
    const [program, ...first] = (process.env.CXX ?? "c++").split(" ");
    const child = spawn(program, [...first, ...args], { cwd: root, stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`${program} failed`))));
  });
}

async function inParallel(items, action) {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await action(item);
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
}
