// Finds BLAS and LAPACK and prints the flags that link them, on one line, for binding.gyp.
//
//   LYAPLOCK_BLAS_LIBS="-L/opt/lib -lmkl_rt" node scripts/blas.mjs     a library of one's own choice

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { installPackages } from "./system-packages.mjs";

/** Flags for the linker, as an array. Throws an Error that says what to install where nothing is found. */
export function findBlas() {
  const chosen = process.env.LYAPLOCK_BLAS_LIBS;
  if (chosen) return split(chosen);
  if (process.platform === "darwin") return ["-framework", "Accelerate"];
  const found = search();
  if (found) return found;
  if (installPackages(["libopenblas-dev"])) {
    const installed = search();
    if (installed) return installed;
  }
  throw new Error(
    "No BLAS library with LAPACK was found: install OpenBLAS (libopenblas-dev on Debian and Ubuntu, openblas-devel on " +
      "Fedora) or name one in LYAPLOCK_BLAS_LIBS, for example LYAPLOCK_BLAS_LIBS=-lmkl_rt.",
  );
}

/** The first candidate that links. */
function search() {
  const candidates = [
    packageFlags("openblas"),
    ["-lopenblas"],
    packageFlags("mkl-dynamic-lp64-seq"),
    ["-llapack", "-lblas"],
  ];
  return candidates.find((flags) => flags !== undefined && links(flags));
}

function packageFlags(name) {
  const { status, stdout } = spawnSync("pkg-config", ["--libs", name], { encoding: "utf8" });
  return status === 0 ? split(stdout) : undefined;
}

/** Whether a program that calls a function of BLAS and one of LAPACK links with these flags. */
function links(flags) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "lyaplock-blas-"));
  try {
    const source = path.join(folder, "probe.cpp");
    writeFileSync(
      source,
      'extern "C" { void dgemm_(); void dpotrf_(); }\nint main(int n, char**) { if (n > 9) dgemm_(), dpotrf_(); }\n',
    );
    const compiler = split(process.env.CXX ?? "c++");
    const args = [...compiler.slice(1), source, "-o", path.join(folder, "probe"), ...flags];
    return spawnSync(compiler[0], args, { stdio: "ignore" }).status === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function split(text) {
  return text.split(/\s+/).filter((word) => word !== "");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(findBlas().join(" "));
  } catch (error) {
    console.error(`blas: ${error.message}`);
    process.exitCode = 1;
  }
}
