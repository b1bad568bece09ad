import path from "node:path";
import { contentHash } from "../base/content-hash.js";
import { LyaplockError } from "../errors.js";
import { builtinFiles } from "../model/builtin.js";
import { parseCounterFactRecord } from "./counterfact-record.js";
import { readJsonArray } from "./json-array.js";
import type { CounterFactRecord } from "./records.js";

export interface RecordOptions {
  /** Good records to leave out at the start; bad ones do not count, here and in `limit`. */
  offset?: number;
  /** Good records to read. */
  limit?: number;
  /** Told of every bad record that is passed: its place in the file, from 0, and what is wrong with it. */
  onSkip?(skip: { index: number; reason: string }): void;
  signal?: AbortSignal;
}

/** Facts with the prompts that measure how well they were written. */
export interface Dataset {
  readonly name: string;
  readonly path: string;
  /** Streams the records, so that a file of any size can be read without holding the event loop. */
  records(options?: RecordOptions): AsyncIterable<CounterFactRecord>;
  /** sha256, hex, of the file. */
  contentHash(): Promise<string>;
}

export const datasets = {
  /** A JSON file in the format of multi-CounterFact or of the derived 10,000-record file. */
  counterfact(file: string): Dataset {
    return new CounterFactDataset("counterfact", path.resolve(file));
  },
  /** The edits that come with the built-in model. */
  atlas(): Dataset {
    return new CounterFactDataset("atlas", builtinFiles("atlas").edits);
  },
};

/** A data set by its name on the command line. @throws ERR_INVALID_ARGUMENT */
export function openDataset(spec: string): Dataset {
  if (spec === "atlas") return datasets.atlas();
  const [, file] = /^counterfact:(.+)$/s.exec(spec) ?? [];
  if (file) return datasets.counterfact(file);
  throw new LyaplockError(
    "ERR_INVALID_ARGUMENT",
    `there is no data set "${spec}"; there are atlas and counterfact:FILE`,
  );
}

class CounterFactDataset implements Dataset {
  constructor(
    readonly name: string,
    readonly path: string,
  ) {}

  async *records({
    offset = 0,
    limit = Infinity,
    onSkip,
    signal,
  }: RecordOptions = {}): AsyncGenerator<CounterFactRecord> {
    const seen = new Set<number>();
    let index = -1;
    let good = 0;
    if (limit <= 0) return;
    for await (const json of readJsonArray(this.path, signal)) {
      index++;
      const record = parseOrSkip(json, index, seen, onSkip);
      if (!record || good++ < offset) continue;
      yield record;
      if (good === offset + limit) return;
    }
  }

  contentHash(): Promise<string> {
    return contentHash([this.path]);
  }
}

function parseOrSkip(
  json: unknown,
  index: number,
  seen: Set<number>,
  onSkip: RecordOptions["onSkip"],
): CounterFactRecord | undefined {
  try {
    const record = parseCounterFactRecord(json);
    if (seen.has(record.caseId)) throw new LyaplockError("ERR_FACT", `case_id ${record.caseId} was used before`);
    seen.add(record.caseId);
    return record;
  } catch (error) {
    if (!(error instanceof LyaplockError)) throw error;
    onSkip?.({ index, reason: error.message });
    return undefined;
  }
}
