import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { LyaplockError } from "../errors.js";
import type { NativeAddon } from "./addon.js";

/** LYAPLOCK_ADDON is the absolute path of another build, one with sanitizers for example. */
const FILE = process.env.LYAPLOCK_ADDON || fileURLToPath(new URL("../../build/Release/lyaplock.node", import.meta.url));

/** Loads the addon's file. @throws ERR_ADDON with advice that fits what went wrong. */
export function loadAddon(): NativeAddon {
  try {
    return createRequire(import.meta.url)(FILE) as NativeAddon;
  } catch (error) {
    throw new LyaplockError("ERR_ADDON", `the native addon cannot be loaded: ${adviceFor(error as Error)}`, {
      cause: error,
    });
  }
}

function adviceFor({ message }: Error): string {
  if (/cannot find module/i.test(message)) {
    return `there is no ${FILE}. Build it with "npm run build:native" in the package's directory.`;
  }
  if (/libopenblas|libblas|liblapack|libmkl/.test(message)) {
    return `its linear algebra library is gone (${message}). Install libopenblas-dev, or rebuild the addon.`;
  }
  return `${message}. Rebuild it with "npm run build:native" in the package's directory.`;
}
