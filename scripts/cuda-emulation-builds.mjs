// Builds of the CUDA backend on test/cuda-emulation: its own tests, the native tests, the addon.

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
  ...["-I", `${EMULATION}/include`, "-I", EMULATION, "-I", "native", "-I", "test/native", "-O1", "-g"],
];
/** As C++, with a call before every access to memory. */
export const kernelFlags = ["-x", "c++", "-fsanitize=thread", "-O2"];
export const SANITIZERS = [
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
export async function backend(build, sources, more) {
  const kernels = filesIn(root, sources, ".cu");
  return [
    ...(await objects(path.join(build, "backend"), filesIn(root, sources, ".cpp"), [...flags, ...more])),
    ...(await objects(path.join(build, "kernels"), kernels, [
      ...flags,
      ...kernelFlags,
      ...more.filter((flag) => !SANITIZERS.includes(flag)),
    ])),
  ];
}

/** Everything of the native tests but the backend itself. */
export async function aroundBackend(build, sanitizers) {
  const sources = filesIn(root, "native", ".cpp").filter((name) => !/^native\/(addon|backend\/cuda)\//.test(name));
  const tests = [...filesIn(root, "test/native", ".cpp"), ...filesIn(root, `${EMULATION}/backend`, ".cpp")];
  return [
    ...(await emulation(build, sanitizers)),
    ...(await objects(path.join(build, "native"), [...sources, ...tests], [...flags, ...sanitizers])),
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

export async function buildAddon() {
  const build = path.join(root, "build", "cuda-emulated");
  const folder = path.join(build, "addon");
  const include = (name) => ["-isystem", createRequire(import.meta.url)(name).include_dir.replaceAll('"', "")];
  // As in binding.gyp, but for the optimiser's level.
  const more = [
    ...include("node-addon-api"),
    ...include("node-api-headers"),
    ...["-DNAPI_VERSION=8", "-DNAPI_CPP_EXCEPTIONS", "-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
    ...["-fPIC", "-fvisibility=hidden"],
  ];
  const sources = filesIn(root, "native", ".cpp").filter((name) => !name.startsWith("native/backend/cuda/"));
  const all = [
    ...(await objects(path.join(folder, "native"), sources, [...flags, ...more])),
    ...(await emulation(folder, more)),
    ...(await backend(folder, "native/backend/cuda", more)),
  ];
  const addon = path.join(build, "lyaplock-cuda.node");
  await compile(root, [...all, "-shared", "-o", addon, ...flags, ...more, ...findBlas(), "-ldl"]);
  return addon;
}
