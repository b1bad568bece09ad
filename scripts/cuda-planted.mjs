// Mistakes planted in copies of the CUDA backend's sources, one at a time: the native tests on the emulated GPU must fail,
// each time in a way that fits. Run by scripts/cuda-emulation.mjs --planted.

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { findBlas } from "./blas.mjs";
import { compile } from "./compile.mjs";
import { aroundBackend, backend, flags, kernelFlags, root } from "./cuda-emulation-builds.mjs";

const BACKEND = "native/backend/cuda";

/**
 * What is planted: `from` (or what `fromPattern` finds), which is in `file` exactly once, becomes `to`. `test` is part of the name of the tests to run;
 * what they say must hold `noticed`. Where a header is changed, `through` is a source that includes it.
 */
const MISTAKES = [
  {
    name: "a swapped uplo",
    file: "linear_algebra.cu",
    from: "CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_UPPER,",
    to: "CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_LOWER,",
    test: "trsm",
    noticed: /FAILED {2}trsm/,
  },
  {
    name: "a wrong leading dimension",
    file: "linear_algebra.cu",
    from: "blas_stride(l), b.data, blas_stride(b))",
    to: "blas_stride(l), b.data, blas_stride(b) + 1)",
    test: "trsm",
    noticed: /cublasDtrsm_v2\(.*B takes .* bytes .*beyond its end|FAILED {2}trsm/,
  },
  {
    name: "a missing synchronisation",
    file: "staging.cpp",
    from: "    block.wait();\n    std::memcpy(static_cast<std::byte*>(host)",
    to: "    std::memcpy(static_cast<std::byte*>(host)",
    test: "adopted memory",
    noticed: /FAILED {2}adopted memory|another copy from or to the destination has not been waited for/,
  },
  {
    name: "a host pointer",
    file: "spectra.cu",
    from: "unconverged.view().data, info.view().data)",
    to: "unconverged.view().data, &work_size)",
    test: "gesdd",
    noticed: /cusolverDnDgesvd\(.*info must be device memory of 4 bytes, and is host memory/,
  },
  {
    name: "an off-by-one in a kernel",
    file: "loops.h",
    fromPattern: /j < cols(;\s+j \+= std::size_t\{gridDim\.x\} \* blockDim\.x\))/,
    to: "j <= cols$1",
    through: "elementwise.cu",
    test: "fill",
    noticed: /elements_kernel\(grid .* thread \(.*\): (reads|writes) \d+ bytes of device memory, 0 bytes past the end/,
  },
  {
    name: "a missing barrier in a kernel",
    file: "loops.h",
    fromPattern: /(values\[threadIdx\.x\] = value;)\s+__syncthreads\(\);/,
    to: "$1",
    through: "reductions.cu",
    test: "dot",
    noticed: /sums_kernel\(grid .*shared memory/,
  },
  {
    name: "a leaked buffer",
    file: "memory.cpp",
    from: "stream->release(memory, bytes);",
    to: "(void)memory, (void)bytes;",
    test: "memory is aligned",
    noticed: /left at exit:\n {2}\d+ bytes of device memory from cudaMallocAsync/,
  },
  {
    name: "an unchecked status",
    file: "linear_algebra.cu",
    from: "  check(cublasDtrsm(",
    to: "  const auto ignore = [](cublasStatus_t, const char*, const auto&...) {};\n  ignore(cublasDtrsm(",
    test: "factorisations notice every status",
    noticed: /nobody said that call \d+, cublasDtrsm_v2, failed/,
  },
];

/** Plants the mistakes whose name contains `only`, or all. Returns the exit code: 0 if each was noticed. */
export async function plantMistakes(only = "") {
  const build = path.join(root, "build", "cuda-emulated");
  const around = await aroundBackend(build, []);
  const right = await backend(build, BACKEND, []);
  const libraries = [...findBlas(), "-ldl"];
  let passed = 0;
  const chosen = MISTAKES.filter(({ name }) => name.includes(only));
  for (const [i, mistake] of chosen.entries()) {
    const folder = path.join(build, "planted", String(i));
    const object = await compilePlanted(folder, mistake);
    const replaced = `_${(mistake.through ?? mistake.file).replaceAll("/", "_")}.o`;
    const others = right.filter((name) => !name.endsWith(replaced));
    if (others.length !== right.length - 1) throw new Error(`no object ends in ${replaced}`);
    const program = path.join(folder, "native-tests");
    await compile(root, [...around, ...others, object, "-o", program, ...flags, ...libraries]);
    const { status, stdout, stderr } = spawnSync(program, [mistake.test], { cwd: root, encoding: "utf8" });
    const said = `${stdout}${stderr}`;
    const noticed = status !== 0 && mistake.noticed.test(said);
    passed += noticed ? 1 : 0;
    console.log(`${noticed ? "noticed" : "NOT NOTICED"}: ${mistake.name}`);
    console.log(said.replace(/^/gm, "    ").trimEnd());
    rmSync(folder, { recursive: true });
  }
  console.log(`${passed} passed, ${chosen.length - passed} failed`);
  return passed === chosen.length && passed > 0 ? 0 : 1;
}

/** Compiles a source with the mistake in it, or in a header that it includes; the right ones are left alone. */
async function compilePlanted(folder, { name, file, through, from, fromPattern, to }) {
  const text = readFileSync(path.join(root, BACKEND, file), "utf8");
  const pieces = fromPattern ? [...text.matchAll(new RegExp(fromPattern, "g"))].length : text.split(from).length - 1;
  if (pieces !== 1) throw new Error(`${file} has ${pieces} places for ${name}; it should have one`);
  const copy = path.join(folder, "backend/cuda", file);
  mkdirSync(path.dirname(copy), { recursive: true });
  writeFileSync(copy, fromPattern ? text.replace(fromPattern, to) : text.replace(from, () => to));
  const source = through ? path.join(root, BACKEND, through) : copy;
  const object = path.join(folder, "planted.o");
  const kernels = source.endsWith(".cu") ? kernelFlags : [];
  await compile(root, ["-I", folder, ...flags, ...kernels, "-c", source, "-o", object]);
  return object;
}
