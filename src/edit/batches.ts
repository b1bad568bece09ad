import { LyaplockError } from "../errors.js";

/** Consecutive groups of `size`; the last may be smaller. @throws ERR_INVALID_ARGUMENT unless size is a whole number, 1 or more */
export async function* inBatches<T>(items: Iterable<T> | AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  if (!Number.isInteger(size) || size < 1) {
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `a batch size must be a whole number, 1 or more; received ${size}`);
  }
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
