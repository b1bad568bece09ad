import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { fileError } from "../base/file-error.js";
import { named } from "../base/files.js";
import { LyaplockError } from "../errors.js";

/**
 * A file that grows by whole lines of JSON.
 *
 * A process can be killed between any two instructions, so the end of the file proves nothing: what counts is the length
 * that a checkpoint has recorded. Opening cuts the file back to it.
 */
export class JsonLines {
  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private length: number,
  ) {}

  /** Opens or creates the file and keeps its first `keep` bytes. ERR_RUN_DIRECTORY if it has fewer. */
  static async open(path: string, keep: number): Promise<JsonLines> {
    return named("open", path, async () => {
      const handle = await openForUpdate(path);
      try {
        const { size } = await handle.stat();
        if (size < keep) {
          throw new LyaplockError(
            "ERR_RUN_DIRECTORY",
            `${path}: ${keep} bytes were written and ${size} are left. The file was changed; start the run anew.`,
          );
        }
        await handle.truncate(keep);
        return new JsonLines(path, handle, keep);
      } catch (error) {
        await handle.close();
        throw error;
      }
    });
  }

  /** Bytes written so far: what a checkpoint records. */
  get bytes(): number {
    return this.length;
  }

  /** Appends a line per record, on the disk when the promise resolves. On failure the file is as it was. */
  async append(records: readonly unknown[]): Promise<void> {
    const lines = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    await named("write", this.path, async () => {
      try {
        await this.writeAll(lines);
        await this.handle.datasync();
      } catch (error) {
        await this.handle.truncate(this.length).catch(() => undefined); // the first error is the one to tell
        throw error;
      }
    });
    this.length += lines.length;
  }

  private async writeAll(bytes: Buffer): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await this.handle.write(bytes, written, bytes.length - written, this.length + written);
      written += bytesWritten;
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** "r+" does not create and "w+" empties, so a missing file takes two steps. */
async function openForUpdate(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r+");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return open(path, "wx+");
  }
}

/**
 * Reads a file of JSON lines, one record at a time. A missing file has none. What follows the last line's end is no line yet: it is
 * being written, or was when its process was killed.
 */
export async function* readJsonLines<T>(path: string): AsyncGenerator<T> {
  try {
    let rest = "";
    for await (const text of createReadStream(path, { encoding: "utf8" })) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line !== "") yield JSON.parse(line) as T;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw fileError("read", path, error);
  }
}

export async function readAllJsonLines<T>(path: string): Promise<T[]> {
  const records: T[] = [];
  for await (const record of readJsonLines<T>(path)) records.push(record);
  return records;
}
