import { Turns } from "../base/yielding.js";
import { LyaplockError } from "../errors.js";
import { readJsonArray } from "./json-array.js";
import { readPieces } from "./pieces.js";

/**
 * Texts for second moments: a .json file is an array of strings, any other a text a line; blank lines are passed over.
 *
 * @throws ERR_FILE; ERR_DATASET_FORMAT for an element that is not a string
 */
export async function* readTexts(path: string, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<string> {
  if (!path.endsWith(".json")) return yield* readLines(path, signal);
  let index = 0;
  for await (const text of readJsonArray(path, signal)) {
    if (typeof text !== "string") {
      throw new LyaplockError("ERR_DATASET_FORMAT", `${path}: element ${index} is not a string`);
    }
    if (text.trim() !== "") yield text;
    index++;
  }
}

async function* readLines(path: string, signal?: AbortSignal): AsyncGenerator<string> {
  const turns = new Turns(signal);
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of readPieces(path)) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split(/\r?\n/);
    rest = lines.pop()!;
    for (const line of lines) {
      await turns.next();
      if (line.trim() !== "") yield line;
    }
  }
  if (rest.trim() !== "") yield rest;
}
