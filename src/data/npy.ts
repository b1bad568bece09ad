import { readFile, stat } from "node:fs/promises";
import { named } from "../base/files.js";
import { LyaplockError } from "../errors.js";
import { parseNpyHeader } from "./npz.js";

/** A vector of a million numbers, eight times over; nothing that we read whole is larger. */
const LARGEST_FILE = 64 * 2 ** 20;

/**
 * A vector of float64 numbers from an .npy file of NumPy.
 *
 * @throws ERR_FILE; ERR_DATASET_FORMAT when it is something else, or its size is not what its header says
 */
export async function readNpyVector(path: string): Promise<Float64Array> {
  const fail = (what: string) => new LyaplockError("ERR_DATASET_FORMAT", `${path} ${what}`);
  const { size } = await named("read", path, () => stat(path));
  if (size > LARGEST_FILE) throw fail(`has ${size} bytes; at most ${LARGEST_FILE} are read`);
  const bytes = await named("read", path, () => readFile(path));
  const found = parseNpyHeader(bytes, path);
  if (found === undefined) throw fail("ends inside its header");
  const { header, length } = found;
  const elements = header.shape[0] ?? 0;
  if (header.type !== "<f8" || header.shape.length !== 1 || bytes.length - length !== 8 * elements) {
    const what = `[${header.shape.join(", ")}] of ${header.type} in ${bytes.length - length} bytes`;
    throw fail(`must be one vector of float64; it is ${what}`);
  }
  // NumPy pads its header to 64 bytes, but a copy is aligned wherever the numbers begin.
  return new Float64Array(new Uint8Array(bytes.subarray(length)).buffer);
}
