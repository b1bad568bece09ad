import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { fileError } from "./file-error.js";

/**
 * Writes a file beside its place, brings it to the disk and renames it: a reader finds the old content or the new, never a
 * part, whatever happens to this process.
 *
 * (The write-file-atomic package takes a short write for a whole one, so that on a full disk it puts a torn file into place.)
 *
 * @throws ERR_FILE; the old content is still there then, and nothing beside it.
 */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const beside = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    const handle = await open(beside, "wx");
    try {
      await handle.writeFile(content); // goes on after short writes until all is written or it fails
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {}); // the first error is the one to tell
    throw fileError("write", path, error);
  }
}

/** True for what a killed process leaves beside the file or directory `name`, which was to get its place by renaming. */
export function isLeftover(entry: string, name: string): boolean {
  return entry.startsWith(`${name}.`) && /^[0-9a-f]{8}\.tmp$/.test(entry.slice(name.length + 1));
}
