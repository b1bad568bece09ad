// Compiles C++ sources to objects, several at a time. An object is compiled again when its source, any header or the flags
// are newer than it.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

// As in binding.gyp.
export const baseFlags = [
  "-std=c++20",
  "-pthread",
  "-fno-math-errno",
  "-fno-trapping-math",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-Wno-psabi",
  ...(process.platform === "linux" ? ["-Wno-restrict"] : []),
];

/** Returns the objects of `sources`, in their order; they lie in `folder`. `headers` are folders to look for headers in. */
export async function compileObjects({ root, folder, sources, flags, headers = ["native", "test/native"] }) {
  mkdirSync(folder, { recursive: true });
  const stamp = path.join(folder, "flags");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== flags.join(" ")) writeFileSync(stamp, flags.join(" "));

  const newestInput = Math.max(
    statSync(stamp).mtimeMs,
    ...headers.flatMap((name) => filesIn(root, name, ".h")).map((name) => statSync(path.join(root, name)).mtimeMs),
  );
  const objects = sources.map((name) => path.join(folder, `${name.replaceAll("/", "_")}.o`));
  const stale = sources.flatMap((source, i) => {
    const object = objects[i];
    const needed = Math.max(newestInput, statSync(path.join(root, source)).mtimeMs);
    return existsSync(object) && statSync(object).mtimeMs > needed ? [] : [{ source, object }];
  });
  await inParallel(stale, ({ source, object }) => compile(root, [...flags, "-c", source, "-o", object]));
  return objects;
}

/** Runs the compiler; what it says is shown as it comes. */
export function compile(root, args) {
  return new Promise((resolve, reject) => {
    const [program, ...first] = (process.env.CXX ?? "c++").split(" ");
    const child = spawn(program, [...first, ...args], { cwd: root, stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`${program} failed`))));
  });
}

/** Names of the files below a folder, relative to the root, in order. */
export function filesIn(root, folder, ending) {
  return readdirSync(path.join(root, folder), { recursive: true })
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`)
    .sort();
}

async function inParallel(items, action) {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await action(item);
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
}
