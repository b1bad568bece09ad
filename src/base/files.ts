import { access, open } from "node:fs/promises";
import { contentHash } from "./content-hash.js";
import { fileError } from "./file-error.js";
import { writeWhole } from "./write-whole.js";

/** Runs file work; what the operating system refuses becomes an ERR_FILE that names the file. */
export async function named<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(action, path, error);
  }
}

export function writeJson(path: string, value: unknown): Promise<void> {
  return writeWhole(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** Brings a file that native code wrote from the system's memory to the disk, and returns its hash. */
export async function sealFile(path: string): Promise<string> {
  await named("write", path, async () => {
    const handle = await open(path, "r+");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
  return contentHash([path]);
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
