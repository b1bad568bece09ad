import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** What a benchmark says where a baseline cannot run. */
export const without = (...modules) =>
  `the published code's side is left out: python3 has no ${modules.join(" and ")} here (LYAPLOCK_PYTHON names another Python)`;

/**
 * A baseline in Python, in a process of its own: a request is a line of JSON, its answer one as well. Numbers too many for
 * a line travel through files of raw values.
 */
export class PythonProcess {
  /**
   * @param script beside this file. @param modules that it imports.
   * @returns {PythonProcess | undefined} undefined where there is no Python that has them.
   */
  static start(script, modules) {
    const python = findPython(modules);
    return python === undefined ? undefined : new PythonProcess(python, script);
  }

  constructor(python, script) {
    this.script = script;
    this.directory = mkdtempSync(path.join(tmpdir(), "lyaplock-bench-"));
    const file = fileURLToPath(new URL(script, import.meta.url));
    this.process = spawn(python, [file], { stdio: ["pipe", "pipe", "inherit"] });
    this.answers = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }

  /** Where values of this name travel. */
  file(name) {
    return path.join(this.directory, name);
  }

  /** Writes values of a typed array; the file's path is what a request then names. */
  async send(name, values) {
    await writeFile(this.file(name), values);
    return this.file(name);
  }

  /** Reads values that an answer left, as `Type`, a typed array's constructor. */
  async receive(name, Type) {
    const { buffer, byteOffset, byteLength } = await readFile(this.file(name));
    return new Type(buffer.slice(byteOffset, byteOffset + byteLength));
  }

  async ask(request) {
    this.process.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.answers.next();
    if (done) throw new Error(`${this.script} stopped at "${request.do}"; what it said is above`);
    return JSON.parse(value);
  }

  /** Threads that wait for more work spin for a moment; whoever is timed next shall have the cores. */
  async askAndSettle(request) {
    const answer = await this.ask(request);
    await sleep(300);
    return answer;
  }

  stop() {
    this.process.stdin.end();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function findPython(modules) {
  const named = process.env.LYAPLOCK_PYTHON;
  const python = named ?? "python3";
  if (spawnSync(python, ["-c", `import ${modules.join(", ")}`], { stdio: "ignore" }).status === 0) return python;
  if (named !== undefined) throw new Error(`LYAPLOCK_PYTHON is ${named}, which cannot import ${modules.join(", ")}`);
  return undefined;
}
