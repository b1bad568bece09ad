import { readdir } from "node:fs/promises";
import { fileError } from "../base/file-error.js";
import { LyaplockError } from "../errors.js";

/** A result gets a directory of its own. @throws ERR_FILE for one that has something in it */
export async function refuseNonEmpty(directory: string): Promise<void> {
  try {
    if ((await readdir(directory)).length === 0) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw fileError("write to", directory, error);
  }
  throw new LyaplockError("ERR_FILE", `${directory} exists and is not empty. Name a new directory with --out.`);
}
