import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import path from "node:path";
import { fileError } from "./file-error.js";

/**
 * sha256, hex, over the names, sizes and contents of files. Read as streams: a piece is hashed in well under a
 * millisecond, whatever the size of the file.
 *
 * @throws ERR_FILE
 */
export async function contentHash(files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) {
    try {
      hash.update(`${path.basename(file)}\0${(await stat(file)).size}\0`);
      for await (const piece of createReadStream(file, { highWaterMark: 256 * 1024 })) hash.update(piece as Buffer);
    } catch (error) {
      throw fileError("read", file, error);
    }
  }
  return hash.digest("hex");
}
