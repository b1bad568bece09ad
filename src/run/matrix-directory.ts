import { mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { fileError } from "../base/file-error.js";
import { exists, named, writeJson } from "../base/files.js";
import { describeIssues, readJsonFile } from "../base/json-file.js";
import { Lock } from "../base/lock.js";
import { LyaplockError } from "../errors.js";

/** How one run of a matrix stands. */
export type MatrixRunState =
  | { name: string; state: "waiting" | "finished" }
  | { name: string; state: "failed"; error: { code: string; message: string } };

/** Absolute paths of what a matrix was read from. */
export interface MatrixOrigin {
  file: string;
  /** What "{data}" stood for. */
  data?: string | undefined;
}

export interface MatrixState {
  origin: MatrixOrigin;
  runs: readonly MatrixRunState[];
}

const stateSchema = z.object({
  version: z.literal(1),
  /** Missing where an earlier version of the program wrote it. */
  origin: z.object({ file: z.string(), data: z.string().optional() }).optional(),
  runs: z.array(
    z.discriminatedUnion("state", [
      z.object({ name: z.string(), state: z.enum(["waiting", "finished"]) }),
      z.object({
        name: z.string(),
        state: z.literal("failed"),
        error: z.object({ code: z.string(), message: z.string() }),
      }),
    ]),
  ),
});

/** The directory of a matrix of runs: a run directory for each, and runs.json, which says how each of them stands. */
export class MatrixDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  run(name: string): string {
    return join(this.path, name);
  }

  /** Whether there is a matrix here. */
  holdsMatrix(): Promise<boolean> {
    return exists(this.state);
  }

  /** Creates the directory, or enters that of a matrix. ERR_RUN_DIRECTORY for one with anything else in it, or in use. */
  async occupy(): Promise<Lock> {
    const entries = await this.entries();
    if (!(await this.holdsMatrix()) && entries.some((entry) => !/^(lock|runs\.json)(\.|$)/.test(entry))) {
      const what = `${this.path} is not empty and holds no experiment. Choose a directory that is empty or does not exist.`;
      throw new LyaplockError("ERR_RUN_DIRECTORY", what);
    }
    await named("create", this.path, () => mkdir(this.path, { recursive: true }));
    return Lock.acquire(join(this.path, "lock"));
  }

  /** What it was begun with. @throws ERR_RUN_DIRECTORY where there is no matrix, or one that does not say. */
  async origin(): Promise<MatrixOrigin> {
    const found = (await this.holdsMatrix()) ? (await this.read()).origin : undefined;
    if (found !== undefined) return found;
    const what = `${this.path} does not say of which file its runs are. Name the file with --config.`;
    throw new LyaplockError("ERR_RUN_DIRECTORY", what);
  }

  async read(): Promise<Partial<MatrixState> & Pick<MatrixState, "runs">> {
    const { success, data, error } = stateSchema.safeParse(await readJsonFile(this.state, "ERR_RUN_DIRECTORY"));
    if (success) return { origin: data.origin, runs: data.runs };
    const what = `${this.state} cannot be read as the state of an experiment: ${describeIssues(error)}`;
    throw new LyaplockError("ERR_RUN_DIRECTORY", `${what}. Choose another directory.`);
  }

  write({ origin, runs }: MatrixState): Promise<void> {
    return writeJson(this.state, { version: 1, origin, runs });
  }

  private get state(): string {
    return join(this.path, "runs.json");
  }

  private async entries(): Promise<string[]> {
    try {
      return await readdir(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw fileError("read", this.path, error);
    }
  }
}
