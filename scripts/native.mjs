// Builds the native addon, build/Release/lyaplock.node, unless it is up to date. Plain Node without dependencies besides
// node-gyp.
//
//   node scripts/native.mjs [--force] [--debug]          the addon; --debug builds build/Debug instead
//   node scripts/native.mjs --test                       builds and runs test/native (under sanitizers: sanitize.mjs)
//   node scripts/native.mjs --print-sources [--cuda]     the sources, for binding.gyp and CMakeLists.txt; --cuda with
//                                                        those of the CUDA backend

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { installPackages } from "./system-packages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const options = new Set(process.argv.slice(2));
const known = ["--force", "--debug", "--test", "--print-sources", "--cuda"];

try {
  for (const option of options) {
    if (!known.includes(option)) throw new Error(`no option ${option}; there are ${known.join(", ")}`);
  }
  if (options.has("--print-sources")) {
    console.log(sources(options.has("--cuda")).join("\n"));
  } else if (options.has("--test")) {
    requireTools();
    const { runNativeTests } = await import("./native-tests.mjs");
    const tested = sources().filter((name) => !name.startsWith("native/addon/"));
    process.exitCode = await runNativeTests({ root, sources: tested });
  } else {
    await buildAddon();
  }
} catch (error) {
  console.error(`native: ${error.message}`);
  process.exitCode = 1;
}

/** Every source of the CPU addon, or of the one with CUDA, relative to the root. */
function sources(withCuda = false) {
  return readdirSync(path.join(root, "native"), { recursive: true })
    .map((name) => `native/${name.replaceAll("\\", "/")}`)
    .filter((name) => /\.(cpp|cu)$/.test(name) && (withCuda || !name.startsWith("native/backend/cuda/")))
    .sort();
}

async function buildAddon() {
  const configuration = options.has("--debug") ? "Debug" : "Release";
  const stamp = path.join(root, "build", `${configuration}.sha256`);
  const isCurrent = (hash) =>
    existsSync(path.join(root, "build", configuration, "lyaplock.node")) &&
    existsSync(stamp) &&
    readFileSync(stamp, "utf8") === hash;
  if (!options.has("--force") && isCurrent(inputsHash())) return report("up to date");

  const release = await takeLock();
  try {
    const hash = inputsHash();
    if (!options.has("--force") && isCurrent(hash)) return report("up to date");
    requireTools();
    const begun = Date.now();
    rmSync(stamp, { force: true });
    await nodeGyp(["configure", "build", `--jobs=${os.availableParallelism()}`, ...headers(), configurationFlag()]);
    writeFileSync(stamp, hash);
    report(`built build/${configuration}/lyaplock.node (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  } finally {
    release();
  }
}

function configurationFlag() {
  return options.has("--debug") ? "--debug" : "--release";
}

/** Of everything the addon is made from: a touched file that did not change does not build it again. */
function inputsHash() {
  const inputs = readdirSync(path.join(root, "native"), { recursive: true })
    .map((name) => `native/${name.replaceAll("\\", "/")}`)
    .filter((name) => /\.(h|cpp)$/.test(name) && !name.startsWith("native/backend/cuda/"));
  const hash = createHash("sha256");
  for (const name of [...inputs, "binding.gyp", "scripts/native.mjs", "scripts/blas.mjs"].sort()) {
    hash
      .update(`${name}\0`)
      .update(readFileSync(path.join(root, name)))
      .update("\0");
  }
  const variables = ["LYAPLOCK_BLAS_LIBS", "CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS"];
  for (const name of variables) hash.update(`${name}=${process.env[name] ?? ""}\0`);
  return hash.update(`${process.versions.modules} ${process.platform} ${process.arch}`).digest("hex");
}

/** Node's headers beside this very Node, where they were installed with it; otherwise node-gyp downloads them. */
function headers() {
  const prefix = path.dirname(path.dirname(process.execPath));
  return existsSync(path.join(prefix, "include/node/node_api.h")) ? [`--nodedir=${prefix}`] : [];
}

function requireTools() {
  const programs = { "g++": process.env.CXX?.split(" ")[0] ?? "c++", make: "make", python3: "python3" };
  const missing = () =>
    Object.keys(programs).filter((name) => spawnSync(programs[name], ["--version"], { stdio: "ignore" }).error);
  if (missing().length === 0 || (installPackages(missing()) && missing().length === 0)) return;
  throw new Error(
    `building the addon needs ${missing().join(", ")}: install them (on Debian and Ubuntu: apt-get install ` +
      `${missing().join(" ")}; on macOS: xcode-select --install) and run "npm run build:native".`,
  );
}

/** Runs node-gyp; its output is shown if it fails. */
function nodeGyp(args) {
  const program = createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");
  report("building the addon, a minute or two");
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`the addon did not build\n${output}`))));
  });
}

/** One build at a time: waits for another process that builds here. Returns the function that lets go. */
async function takeLock() {
  const lock = path.join(root, "build", "native.lock");
  mkdirSync(path.dirname(lock), { recursive: true });
  for (let announced = false; ; await sleep(200)) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      return () => rmSync(lock, { force: true });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const owner = readOwner(lock);
    if (owner !== undefined && !isAlive(owner)) {
      rmSync(lock, { force: true });
    } else if (!announced) {
      report("waiting for another build");
      announced = true;
    }
  }
}

function readOwner(lock) {
  try {
    return Number(readFileSync(lock, "utf8")) || undefined;
  } catch {
    return undefined; // gone, or not written yet
  }
}

function isAlive(processId) {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function report(what) {
  console.error(`native:     ${what}`);
}
