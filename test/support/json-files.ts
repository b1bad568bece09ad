import { writeFile } from "node:fs/promises";
import path from "node:path";
import { temporaryDirectory } from "./temporary.js";

/** Writes a file into a fresh temporary directory and returns its path; objects are written as JSON. */
export async function temporaryFile(name: string, content: unknown): Promise<string> {
  const file = path.join(await temporaryDirectory(), name);
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}
