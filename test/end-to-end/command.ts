import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

/** The built command line: `npm test` builds it first. */
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Second moments are kept here between the commands of one test file, and away from the user's. */
const cache = await mkdtemp(join(tmpdir(), "lyaplock-cache-"));
afterAll(() => rm(cache, { recursive: true, force: true }));

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Started {
  process: ChildProcess;
  /** What it has written so far. */
  output: { stdout: string; stderr: string };
  finished: Promise<Finished>;
}

export interface StartOptions {
  cwd?: string;
  env?: Record<string, string>;
}

/** Starts `lyaplock` with some arguments. */
export function start(args: readonly string[], { cwd, env = {} }: StartOptions = {}): Started {
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...process.env, LYAPLOCK_CACHE: cache, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output.stderr += text;
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, ...output }));
  });
  return { process: child, output, finished };
}

/** Runs `lyaplock` to its end. */
export function lyaplock(args: readonly string[], options: StartOptions = {}): Promise<Finished> {
  return start(args, options).finished;
}

/** Runs it and returns what it printed as JSON; throws with its stderr when it fails. */
export async function lyaplockJson<T>(args: readonly string[], options: StartOptions = {}): Promise<T> {
  const { code, stdout, stderr } = await lyaplock([...args, "--json"], options);
  if (code !== 0) throw new Error(`lyaplock ${args.join(" ")} ended with ${code}:\n${stderr}`);
  return JSON.parse(stdout) as T;
}
