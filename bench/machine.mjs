import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { addon } from "../dist/native/index.js";

/** Where and from what a run was measured: belongs beside every number. */
export function describeMachine() {
  const { backend, threads } = addon().systemInfo();
  return {
    date: new Date().toISOString(),
    commit: commit(),
    processor: cpus()[0].model,
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    loadAverage: loadavg()[0],
    backend,
    threads,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  };
}

/** The commit, and whether the tree differs from it; null outside a checkout. */
function commit() {
  const git = (...args) =>
    execFileSync("git", args, { cwd: fileURLToPath(new URL("..", import.meta.url)), stdio: "pipe", encoding: "utf8" });
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no").trim() !== "";
    return git("rev-parse", "--short=10", "HEAD").trim() + (changed ? " and changes" : "");
  } catch {
    return null;
  }
}
