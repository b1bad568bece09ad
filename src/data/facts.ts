import { type ErrorCode, LyaplockError } from "../errors.js";
import { parseCounterFactRecord } from "./counterfact-record.js";
import { parseFact } from "./fact.js";
import { readJsonArray } from "./json-array.js";
import type { Fact } from "./records.js";

/** A fact that cannot be read: its place in the file, from 0, and why. */
export interface UnreadableFact {
  index: number;
  code: ErrorCode;
  message: string;
}

/**
 * The facts of a JSON file for `lyaplock edit`: an array of `{ prompt, subject, target_new | target, [target_true],
 * [case_id] }`, or of CounterFact records. A bad fact is an error, since who wrote twenty facts wants all twenty; with
 * `onUnreadable` it is told and left out.
 *
 * @throws ERR_FILE, ERR_DATASET_FORMAT, ERR_FACT, ERR_SUBJECT_NOT_IN_PROMPT, ERR_EMPTY_TARGET; the index is in the message.
 */
export async function readFacts(
  path: string,
  { signal, onUnreadable }: { signal?: AbortSignal; onUnreadable?(fact: UnreadableFact): void } = {},
): Promise<Fact[]> {
  const facts: Fact[] = [];
  let index = 0;
  for await (const json of readJsonArray(path, signal)) {
    try {
      facts.push(readFact(json, index, path));
    } catch (error) {
      if (!(error instanceof LyaplockError) || !onUnreadable) throw error;
      onUnreadable({ index, code: error.code, message: error.message });
    }
    index++;
  }
  if (index === 0) throw new LyaplockError("ERR_DATASET_FORMAT", `${path} holds no facts`);
  return facts;
}

function readFact(json: unknown, index: number, path: string): Fact {
  try {
    const isRecord = typeof json === "object" && json !== null && "requested_rewrite" in json;
    return isRecord ? parseCounterFactRecord(json) : parseFact(json, index);
  } catch (error) {
    if (!(error instanceof LyaplockError)) throw error;
    throw new LyaplockError(error.code, `${path}: fact ${index}: ${error.message}`, { cause: error });
  }
}
