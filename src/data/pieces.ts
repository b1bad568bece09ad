import { createReadStream } from "node:fs";
import { fileError } from "../base/file-error.js";

/** Parsing that much JSON takes well under a millisecond once the parser is warm, a few while it is cold. */
const PIECE_BYTES = 8 * 1024;

/** A file in small pieces, so that whatever is done with one holds the event loop for a moment only. @throws ERR_FILE */
export async function* readPieces(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path, { highWaterMark: PIECE_BYTES }) as AsyncIterable<Buffer>;
  } catch (error) {
    throw fileError("read", path, error);
  }
}
