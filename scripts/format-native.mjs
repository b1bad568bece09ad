// Formats the C++ and CUDA sources in place, or with --check names those that clang-format would change.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const sources = ["native", "test/native", "test/cuda-emulation"]
  .filter((folder) => existsSync(path.join(root, folder)))
  .flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true })
      .filter((name) => /\.(h|cpp|cu|cuh)$/.test(name))
      .map((name) => path.join(folder, name)),
  );
if (sources.length === 0) throw new Error("no C++ sources found under native/");

const mode = process.argv.includes("--check") ? ["--dry-run", "-Werror"] : ["-i"];
const { status, error } = spawnSync(path.join(root, "node_modules/.bin/clang-format"), [...mode, ...sources], {
  cwd: root,
  stdio: "inherit",
});
if (error) console.error(`clang-format could not be started (run "npm ci" first): ${error.message}`);
process.exitCode = status ?? 1;
