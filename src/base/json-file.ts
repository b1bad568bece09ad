import { readFile, stat } from "node:fs/promises";
import type { z } from "zod";
import { type ErrorCode, LyaplockError } from "../errors.js";
import { fileError } from "./file-error.js";

/** A tokenizer of 256,000 tokens takes 33 MB; nothing that we read whole is larger. */
const LARGEST_FILE = 128 * 2 ** 20;

/**
 * Parses a JSON file that is read whole.
 *
 * @param code of the error for content that is not JSON.
 * @throws ERR_FILE when it cannot be read.
 */
export async function readJsonFile(path: string, code: ErrorCode): Promise<unknown> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > LARGEST_FILE)
      throw new LyaplockError(code, `${path} has ${size} bytes; at most ${LARGEST_FILE} are read`);
    text = await readFile(path, "utf8");
  } catch (error) {
    throw fileError("read", path, error);
  }
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new LyaplockError(code, `${path} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** What zod found, in one line: `"requested_rewrite.subject": expected string, received number; …`. */
export function describeIssues(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => {
      const plain = message.replace(/^Invalid input: /, "");
      return path.length === 0 ? plain : `"${path.join(".")}": ${plain}`;
    })
    .join("; ");
}
