// Brings a checkout to where it can run: packages, native addon, dist. What is up to date is skipped, by content and not
// by time, so a second run does nothing. Plain Node without dependencies, since it runs before there are any.
//
//   node scripts/prepare.mjs [packages] [native] [typescript]     all three without arguments

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const steps = { packages, native, typescript };

try {
  checkNode();
  const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(steps);
  for (const name of chosen) {
    if (!Object.hasOwn(steps, name)) throw new Error(`no step "${name}"; there are ${Object.keys(steps).join(", ")}`);
    await steps[name]();
  }
} catch (error) {
  console.error(`prepare: ${error.message}`);
  process.exitCode = 1;
}

function checkNode() {
  const wanted = /^>=(\d+)\.(\d+)$/.exec(readJson("package.json").engines.node);
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > Number(wanted[1]) || (major === Number(wanted[1]) && minor >= Number(wanted[2]))) return;
  throw new Error(`this is Node ${process.versions.node}; lyaplock needs Node ${wanted[1]}.${wanted[2]} or newer`);
}

/** node_modules as package-lock.json wants it. */
async function packages() {
  if (packagesInstalled()) return report("packages", "up to date");
  const begun = Date.now();
  // The addon is built by the next step, where its progress can be seen; no other package has a script that is needed.
  await runNpm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
  report("packages", `installed with npm ci (${secondsSince(begun)})`);
}

/** npm leaves a list of what it installed; every package of the lock file must be in it, with the same checksum. */
function packagesInstalled() {
  if (!existsSync(inRoot("node_modules/.package-lock.json"))) return false;
  const wanted = readJson("package-lock.json").packages;
  const installed = readJson("node_modules/.package-lock.json").packages;
  return Object.entries(wanted).every(
    ([name, entry]) =>
      name === "" ||
      (installed[name] === undefined ? entry.optional === true : installed[name].integrity === entry.integrity),
  );
}

/** The addon; scripts/native.mjs knows when it is up to date. */
async function native() {
  await run(process.execPath, [inRoot("scripts/native.mjs")], { quiet: false });
}

/** dist, from src. */
async function typescript() {
  const stamp = inRoot("dist/.sources.sha256");
  const now = sourcesHash();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === now) return report("typescript", "up to date");
  const begun = Date.now();
  rmSync(inRoot("dist"), { recursive: true, force: true }); // what was compiled from a deleted file must go
  await run(process.execPath, [inRoot("node_modules/typescript/bin/tsc"), "-p", inRoot("tsconfig.build.json")]);
  mkdirSync(inRoot("dist"), { recursive: true });
  writeFileSync(stamp, now);
  report("typescript", `compiled (${secondsSince(begun)})`);
}

function sourcesHash() {
  const sources = readdirSync(inRoot("src"), { recursive: true })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => path.join("src", name));
  const hash = createHash("sha256");
  for (const name of [...sources, "tsconfig.json", "tsconfig.build.json", "package-lock.json"].sort()) {
    hash
      .update(`${name}\0`)
      .update(readFileSync(inRoot(name)))
      .update("\0");
  }
  return hash.digest("hex");
}

async function runNpm(args) {
  // Under "npm run", this npm; it need not be the one on the path.
  const npm = process.env.npm_execpath;
  const viaNode = npm !== undefined && /npm-cli\.c?js$/.test(npm);
  try {
    await run(viaNode ? process.execPath : "npm", viaNode ? [npm, ...args] : args);
  } catch (error) {
    if (!/E(AI_AGAIN|NOTFOUND|CONNREFUSED|TIMEDOUT|CONNRESET)/.test(error.message)) throw error;
    throw new Error(
      `${error.message}\nThe npm registry could not be reached; it is needed to install the packages once.`,
    );
  }
}

/** Runs a program; output is kept back and shown only if it fails, unless `quiet` is false. */
function run(program, args, { quiet = true } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: root,
      stdio: ["ignore", quiet ? "pipe" : "inherit", quiet ? "pipe" : "inherit"],
    });
    let output = "";
    child.stdout?.on("data", (data) => (output += data));
    child.stderr?.on("data", (data) => (output += data));
    child.on("error", (error) => reject(new Error(`${program} could not be started: ${error.message}`)));
    child.on("close", (code, signal) => {
      if (code === 0) return resolve();
      const command = [path.basename(program), ...args.map((argument) => argument.replace(root, ""))];
      reject(
        new Error(`${output.trimEnd()}\n${command.join(" ")} failed (${signal ?? `exit code ${code}`})`.trimStart()),
      );
    });
  });
}

function readJson(name) {
  return JSON.parse(readFileSync(inRoot(name), "utf8"));
}

function inRoot(name) {
  return path.join(root, name);
}

function secondsSince(begun) {
  return `${((Date.now() - begun) / 1000).toFixed(1)} s`;
}

function report(step, what) {
  console.error(`${`${step}:`.padEnd(12)}${what}`);
}
