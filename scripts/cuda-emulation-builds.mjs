// Builds of the CUDA backend on test/cuda-emulation: its own tests, the native tests, the addon.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { findBlas } from "./blas.mjs";
import { baseFlags, compile, compileObjects, filesIn } from "./compile.mjs";

export const root = fileURLToPath(new URL("..", import.meta.url));
const EMULATION = "test/cuda-emulation";

/** Flags of everything that includes headers of CUDA; first those of the emulation. */
export const flags = [
  ...baseFlags,
  ...["-DLYAPLOCK_CUDA", "-DLYAPLOCK_CUDA_EMULATION"],
  ...["-I", `${EMULATION}/include`, "-I", EMULATION, "-I", "native", "-I", "test/native"],
  ...["-O1", "-fPIC", "-fvisibility=hidden"],
];
/** As C++, with a call before every access to memory. */
export const kernelFlags = ["-x", "c++", "-fsanitize=thread", "-O2"];
/** In their place: nothing watches what kernels touch, for what would take too long otherwise. */
const UNWATCHED = [
  "-DLYAPLOCK_CUDA_EMULATION_UNWATCHED",
  "-O3",
  // Threads of a kernel are told apart by thread-local variables, which an addon otherwise finds by a call each time.
  ...(process.arch === "x64" ? ["-mtls-dialect=gnu2"] : []),
];
export const SANITIZERS = [
  "-g",
  "-fsanitize=address,undefined",
  "-fno-sanitize-recover=undefined",
  "-fno-omit-frame-pointer",
];

/** The emulation, without its tests: objects that every program needs. */
function emulation(build, more) {
  const sources = filesIn(root, EMULATION, ".cpp").filter((name) => path.dirname(name) === EMULATION);
  return objects(path.join(build, "emulation"), sources, [...flags, ...more, "-O2"], EMULATION);
}

/** Compiles C++ with `all` flags; what is not the emulation's own knows only its public headers. */
function objects(folder, sources, all, headers = `${EMULATION}/include`) {
  return compileObjects({ root, folder, sources, flags: all, headers: ["native", "test/native", headers] });
}

export async function buildOwnTests(build, sanitizers) {
  const tests = [...filesIn(root, `${EMULATION}/tests`, ".cpp"), "test/native/main.cpp"];
  const kernels = filesIn(root, `${EMULATION}/tests`, ".cu");
  const all = [
    ...(await emulation(build, sanitizers)),
    ...(await objects(path.join(build, "own"), tests, [...flags, ...sanitizers], EMULATION)),
    ...(await objects(path.join(build, "own-kernels"), kernels, [...flags, ...kernelFlags], EMULATION)),
  ];
  const program = path.join(build, "emulation-tests");
  await compile(root, [...all, "-o", program, ...flags, ...sanitizers, ...findBlas()]);
  return program;
}

/** The backend's objects, from the folder of its sources. */
export async function backend(build, sources, sanitizers) {
  return [
    ...(await aroundKernels(build, sources, sanitizers)),
    ...(await objects(path.join(build, "kernels"), filesIn(root, sources, ".cu"), [...flags, ...kernelFlags])),
  ];
}

/** The backend's objects without its kernels. */
function aroundKernels(build, sources, sanitizers) {
  return objects(path.join(build, "backend"), filesIn(root, sources, ".cpp"), [...flags, ...sanitizers]);
}

/** The sources of every program and of the addon, but the emulation, the backend and what is the addon's own. */
function native(build, sanitizers) {
  const sources = filesIn(root, "native", ".cpp").filter((name) => !/^native\/(addon|backend\/cuda)\//.test(name));
  return objects(path.join(build, "native"), sources, [...flags, ...sanitizers]);
}

/** Everything of the native tests but the backend itself. */
export async function aroundBackend(build, sanitizers) {
  const tests = [...filesIn(root, "test/native", ".cpp"), ...filesIn(root, `${EMULATION}/backend`, ".cpp")];
  return [
    ...(await emulation(build, sanitizers)),
    ...(await native(build, sanitizers)),
    ...(await objects(path.join(build, "tests"), tests, [...flags, ...sanitizers])),
  ];
}

export async function buildNativeTests(build, sanitizers) {
  const all = [
    ...(await aroundBackend(build, sanitizers)),
    ...(await backend(build, "native/backend/cuda", sanitizers)),
  ];
  const program = path.join(build, "native-tests");
  await compile(root, [...all, "-o", program, ...flags, ...sanitizers, ...findBlas(), "-ldl"]);
  return program;
}

/**
 * Returns the path of the addon. `watched` or not, the numbers are the same; unwatched they come many times sooner, and
 * mistakes of kernels go unnoticed.
 */
export async function buildAddon({ watched = true } = {}) {
  const build = path.join(root, "build", "cuda-emulated");
  const include = (name) => ["-isystem", createRequire(import.meta.url)(name).include_dir.replaceAll('"', "")];
  // As in binding.gyp.
  const more = [
    ...include("node-addon-api"),
    ...include("node-api-headers"),
    ...["-DNAPI_VERSION=8", "-DNAPI_CPP_EXCEPTIONS", "-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
  ];
  const sources = "native/backend/cuda";
  const emulated = watched
    ? [...(await emulation(build, [])), ...(await backend(build, sources, []))]
    : await unwatched(path.join(root, "build", "cuda-unwatched"), build, sources);
  const all = [
    ...emulated,
    ...(await native(build, [])),
    ...(await objects(path.join(build, "addon"), filesIn(root, "native/addon", ".cpp"), [...flags, ...more])),
  ];
  const addon = path.join(build, watched ? "lyaplock-cuda.node" : "lyaplock-cuda-unwatched.node");
  await compile(root, [...all, "-shared", "-o", addon, ...flags, ...findBlas(), "-ldl"]);
  return addon;
}

/** The emulation and the backend; what is the same when watched comes from that build. */
async function unwatched(build, watchedBuild, sources) {
  const kernels = filesIn(root, sources, ".cu");
  return [
    ...(await emulation(build, UNWATCHED)),
    ...(await aroundKernels(watchedBuild, sources, [])),
    ...(await objects(path.join(build, "kernels"), kernels, [...flags, "-x", "c++", ...UNWATCHED])),
  ];
}

/**
 * Compares the emulation's declarations with NVIDIA's headers, of a toolkit or of Python's packages, where they are.
 * Returns false where there are none. Throws where they differ.
 */
export async function compareDeclarations() {
  const script = "import glob, sys; print('\\n'.join(f for p in sys.path for f in glob.glob(p + '/nvidia/*/include')))";
  const { stdout } = spawnSync("python3", ["-c", script], { encoding: "utf8" });
  const chosen = process.env.LYAPLOCK_CUDA_INCLUDE?.split(":") ?? [];
  const folders = [...chosen, ...(stdout ?? "").split("\n"), "/usr/local/cuda/include"].filter((name) =>
    existsSync(name),
  );
  const has = (header) => folders.some((folder) => existsSync(path.join(folder, header)));
  if (!["cublas_v2.h", "cusolverDn.h", "cuda_runtime_api.h", "crt/host_defines.h"].every(has)) return false;
  const include = folders.flatMap((folder) => ["-isystem", folder]);
  await compile(root, ["-std=c++20", "-fsyntax-only", ...include, `${EMULATION}/declarations/compare.cpp`]);
  return true;
}
