import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { LyaplockError } from "../errors.js";
import type { NativeAddon } from "./addon.js";
import { fromNative } from "./errors.js";

/** Where to compute: `auto` is a GPU where there is one and the addon with CUDA was built, the CPU otherwise. */
export type Device = "auto" | "cpu" | "cuda";

const inBuild = (file: string) => fileURLToPath(new URL(`../../build/Release/${file}`, import.meta.url));
const CPU_FILE = inBuild("lyaplock.node");
const CUDA_FILE = inBuild("lyaplock-cuda.node");

/**
 * Loads the addon for a device. LYAPLOCK_ADDON is the absolute path of another build, one with sanitizers for example,
 * and is loaded for `auto` and for the device it was built for.
 *
 * @throws ERR_ADDON with advice that fits what went wrong; ERR_DEVICE where a GPU was asked for, with what is missing.
 */
export function loadAddon(device: Device): NativeAddon {
  const chosen = process.env.LYAPLOCK_ADDON;
  if (chosen) {
    const addon = loadFile(chosen);
    if (device === "cuda" && addon.device !== "cuda") throw new LyaplockError("ERR_DEVICE", noCuda(chosen));
    if (device === "cpu" && addon.device !== "cpu") return loadFile(CPU_FILE);
    return withDevice(addon);
  }
  if (device === "cuda") return loadCuda();
  if (device === "auto" && existsSync(CUDA_FILE)) {
    try {
      return loadCuda();
    } catch (error) {
      if (!(error instanceof LyaplockError) || error.code !== "ERR_DEVICE") throw error;
    }
  }
  return loadFile(CPU_FILE);
}

/** Why no GPU can be used, or undefined where one can. */
export function whyNoCuda(): string | undefined {
  try {
    loadCuda();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** @throws ERR_DEVICE with what is missing: the addon, its libraries, the driver or the GPU. */
function loadCuda(): NativeAddon {
  let addon: NativeAddon;
  try {
    addon = requireFile(CUDA_FILE);
  } catch (error) {
    throw new LyaplockError("ERR_DEVICE", cudaAdviceFor(error as Error), { cause: error });
  }
  return withDevice(addon);
}

function withDevice(addon: NativeAddon): NativeAddon {
  try {
    addon.requireDevice();
    return addon;
  } catch (error) {
    throw fromNative(error);
  }
}

function loadFile(file: string): NativeAddon {
  try {
    return requireFile(file);
  } catch (error) {
    throw new LyaplockError("ERR_ADDON", `the native addon cannot be loaded: ${adviceFor(file, error as Error)}`, {
      cause: error,
    });
  }
}

function requireFile(file: string): NativeAddon {
  return createRequire(import.meta.url)(file) as NativeAddon;
}

function adviceFor(file: string, { message }: Error): string {
  if (/cannot find module/i.test(message)) {
    return `there is no ${file}. Build it with "npm run build:native" in the package's directory.`;
  }
  if (/libopenblas|libblas|liblapack|libmkl/.test(message)) {
    return `its linear algebra library is gone (${message}). Install libopenblas-dev, or rebuild the addon.`;
  }
  return `${message}. Rebuild it with "npm run build:native" in the package's directory.`;
}

function noCuda(file: string): string {
  return `No GPU can be used: ${file} was built without CUDA. Use --device cpu or --device auto.`;
}

function cudaAdviceFor({ message }: Error): string {
  if (/cannot find module/i.test(message)) {
    return (
      `No GPU can be used: there is no ${CUDA_FILE}, the addon with CUDA. Build it with "npm run build:cuda" in the ` +
      "package's directory (with CUDA 12 or 13), or use --device cpu or --device auto."
    );
  }
  const library = /lib(cublas|cublasLt|cusolver|cusparse|nvJitLink|cudart)\.so[.\d]*/.exec(message)?.[0];
  if (library !== undefined) {
    return (
      `No GPU can be used: ${library} was not found (${message}). Install cuBLAS and cuSOLVER of the CUDA that the addon ` +
      'was built with, or rebuild it with "npm run build:cuda", or use --device cpu or --device auto.'
    );
  }
  return `No GPU can be used: the addon with CUDA cannot be loaded (${message}). Rebuild it with "npm run build:cuda".`;
}
