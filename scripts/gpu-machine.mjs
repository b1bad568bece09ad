// What a machine has of a GPU, and what it lacks.

import { spawnSync } from "node:child_process";
import { availableParallelism, cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const fields = { name: "name", driver: "driver_version", memory: "memory.total", capability: "compute_cap" };

/** What the commands need and do not find, a sentence each. */
export function missingForGpu() {
  const missing = [];
  if (gpus().length === 0) {
    missing.push("an NVIDIA GPU and its driver: nvidia-smi is not there, or lists none");
  }
  if (said(process.env.CUDACXX ?? "nvcc", ["--version"]) === undefined) {
    missing.push("CUDA's compiler: nvcc of CUDA 12 or 13, on the PATH or named by CUDACXX");
  }
  if (said("cmake", ["--version"]) === undefined) missing.push("cmake, 3.20 or newer");
  return missing;
}

/** Where a report was made: belongs beside every number. */
export function describeGpu({ emulated }) {
  return {
    date: new Date().toISOString(),
    commit: said("git", ["rev-parse", "--short=10", "HEAD"])?.trim() ?? null,
    gpus: emulated ? [{ name: "emulated" }] : gpus(),
    compiler: emulated ? null : /release [\d.]+, V[\d.]+/.exec(said(process.env.CUDACXX ?? "nvcc", ["--version"]))?.[0],
    processor: cpus()[0].model,
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  };
}

function gpus() {
  const listed = said("nvidia-smi", [`--query-gpu=${Object.values(fields).join(",")}`, "--format=csv,noheader"]);
  const lines = (listed ?? "").split("\n").filter((line) => line.includes(","));
  return lines.map((line) => {
    const values = line.split(",").map((value) => value.trim());
    return Object.fromEntries(Object.keys(fields).map((key, i) => [key, values[i]]));
  });
}

/** What a program prints, or undefined where it fails or is not there. */
function said(program, args) {
  const { status, stdout } = spawnSync(program, args, { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout : undefined;
}
