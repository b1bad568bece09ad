import { createHash, type Hash } from "node:crypto";
import { Turns } from "../base/yielding.js";
import type { NativeMatrix } from "../native/addon.js";
import { call } from "../native/index.js";

/** Elements that are hashed in well under a millisecond. */
const PIECE = 2 ** 16;

/** Adds a matrix's float32 elements, row by row, and disposes of it. */
export async function addToHash(hash: Hash, matrix: NativeMatrix): Promise<void> {
  const values = await call(() => matrix.toFloat32Array());
  matrix.dispose();
  const turns = new Turns();
  for (let begin = 0; begin < values.length; begin += PIECE) {
    await turns.next();
    hash.update(values.subarray(begin, begin + PIECE));
  }
}

/** sha256, hex, of a matrix's float32 elements; disposes of it. */
export async function matrixHash(matrix: NativeMatrix): Promise<string> {
  const hash = createHash("sha256");
  await addToHash(hash, matrix);
  return hash.digest("hex");
}
