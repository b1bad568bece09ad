import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileError } from "../base/file-error.js";
import { named } from "../base/files.js";
import { Lock } from "../base/lock.js";
import { isLeftover } from "../base/write-whole.js";
import { LyaplockError } from "../errors.js";

/** What a run directory is to someone who wants to run in it. */
export type RunDirectoryState = "absent" | "empty" | "interrupted" | "finished" | "foreign";

/** The places of one run on disk (design: architecture, "Run directory"). */
export class RunDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  get record(): string {
    return join(this.path, "run.json");
  }
  get examples(): string {
    return join(this.path, "examples.json");
  }
  get caseStudy(): string {
    return join(this.path, "case-study.json");
  }
  get batches(): string {
    return join(this.path, "batches.jsonl");
  }
  get evaluations(): string {
    return join(this.path, "evaluations.jsonl");
  }
  get cases(): string {
    return join(this.path, "cases.jsonl");
  }
  get checkpoint(): string {
    return join(this.path, "checkpoint");
  }
  get model(): string {
    return join(this.path, "model");
  }
  /** Written last: where it is, the run is finished. */
  get summary(): string {
    return join(this.path, "summary.json");
  }
  private get lock(): string {
    return join(this.path, "lock");
  }

  /** Looks without touching. A run killed before its run.json is as good as none. */
  async state(): Promise<RunDirectoryState> {
    const entries = await this.entries();
    if (entries === undefined) return "absent";
    if (entries.includes("run.json")) return entries.includes("summary.json") ? "finished" : "interrupted";
    return entries.every(isOurs) ? "empty" : "foreign";
  }

  /** ERR_RUN_DIRECTORY if another process runs here. */
  refuseIfInUse(): Promise<void> {
    return Lock.refuseIfHeld(this.lock);
  }

  /** Creates the directory where there is none, and keeps every other process out until the lock is released. */
  async occupy(): Promise<Lock> {
    await named("create", this.path, () => mkdir(this.path, { recursive: true }));
    const lock = await Lock.acquire(this.lock);
    await this.removeLeftovers();
    return lock;
  }

  /**
   * Removes a run; refuses, and touches nothing, where there is anything else. summary.json and run.json go last and in this
   * order, so that a process killed on the way leaves a run that is finished, or one that has not begun: never one with holes.
   */
  async clear(): Promise<void> {
    const state = await this.state();
    if (state !== "finished" && state !== "interrupted") throw notARun(this.path);
    const lines = [this.cases, this.evaluations, this.batches];
    const content = [this.model, this.checkpoint, ...lines, this.caseStudy, this.examples, this.summary, this.record];
    const names = content.map((path) => basename(path));
    const other = (await this.entries())!.find((entry) => !names.includes(entry) && !isOurs(entry));
    if (other !== undefined) {
      const what = `${this.path} holds a finished run and ${other}, which is not of it. Move that away, or remove the directory.`;
      throw new LyaplockError("ERR_RUN_DIRECTORY", what);
    }
    for (const path of content) await named("remove", path, () => rm(path, { recursive: true, force: true }));
  }

  private async entries(): Promise<string[] | undefined> {
    try {
      return await readdir(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw fileError("read", this.path, error);
    }
  }

  /** Half-written neighbours of our files, from a process that was killed. */
  private async removeLeftovers(): Promise<void> {
    for (const entry of (await this.entries()) ?? []) {
      if (isHalfWritten(entry)) await rm(join(this.path, entry), { recursive: true, force: true });
    }
  }
}

function isHalfWritten(entry: string): boolean {
  return ["run.json", "summary.json", "examples.json", "case-study.json", "model"].some((name) =>
    isLeftover(entry, name),
  );
}

/** What may lie in a directory that holds no run: locks, and what a killed process did not finish writing. */
function isOurs(entry: string): boolean {
  return /^lock(\.|$)/.test(entry) || isHalfWritten(entry);
}

/** Whether a run was begun there and not finished. */
export async function isResumable(path: string): Promise<boolean> {
  return (await new RunDirectory(path).state()) === "interrupted";
}

export function notARun(path: string): LyaplockError {
  return new LyaplockError(
    "ERR_RUN_DIRECTORY",
    `${path} is not empty and is not a run of lyaplock. Choose a directory that is empty or does not exist.`,
  );
}
