import { JSONParser } from "@streamparser/json";
import { Turns } from "../base/yielding.js";
import { LyaplockError } from "../errors.js";
import { readPieces } from "./pieces.js";

/**
 * The elements of a JSON file that is one array, as they are read: neither the file nor the array is held whole, and the
 * event loop is free between pieces.
 *
 * @throws ERR_FILE; ERR_DATASET_FORMAT when it is not JSON, not an array, or ends too early; ERR_ABORTED
 */
export async function* readJsonArray(path: string, signal?: AbortSignal): AsyncGenerator<unknown> {
  const fail = (what: string, cause?: unknown) => new LyaplockError("ERR_DATASET_FORMAT", `${path} ${what}`, { cause });
  const parser = new JSONParser({ paths: ["$.*"], keepStack: false });
  let elements: unknown[] = [];
  parser.onValue = ({ value }) => elements.push(value);

  const turns = new Turns(signal);
  let begun = false;
  for await (const piece of readPieces(path)) {
    await turns.next();
    const first: string | undefined = begun ? undefined : firstCharacter(piece);
    begun ||= first !== undefined;
    if (first !== undefined && first !== "[") throw fail(`is not an array of records: it begins with ${first}`);
    const failure = write(parser, piece);
    const complete = elements;
    elements = [];
    yield* complete;
    if (failure) throw fail(`is not JSON: ${failure.message}`, failure);
  }
  if (!parser.isEnded) throw fail("ends before its array does; was it cut off?");
}

function write(parser: JSONParser, piece: Buffer): Error | undefined {
  try {
    parser.write(piece);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** The first character that is neither blank nor a byte-order mark. */
function firstCharacter(piece: Buffer): string | undefined {
  return /[^\s\uFEFF]/u.exec(piece.toString("utf8"))?.[0];
}
