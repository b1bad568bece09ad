import path from "node:path";
import { contentHash } from "../base/content-hash.js";
import { LyaplockError } from "../errors.js";
import { builtinFiles } from "../model/builtin.js";
import { parseCounterFactRecord } from "./counterfact-record.js";
import { readJsonArray } from "./json-array.js";
import { parseKnownFact } from "./known-fact.js";
import type { CounterFactRecord, DatasetRecord, KnownFact, ZsreRecord } from "./records.js";
import { shuffle } from "./shuffle.js";
import { parseZsreRecord } from "./zsre-record.js";

export interface RecordOptions {
  /** Good records to leave out at the start; bad ones do not count, here and in `limit`. */
  offset?: number | undefined;
  /** Good records to read. */
  limit?: number | undefined;
  /**
   * A seed: the good records come in an order drawn with it, of which `offset` and `limit` take their part. All records of
   * the file are then held before the first is given.
   */
  shuffle?: number | undefined;
  /** Told of every bad record that is passed: its place in the file, from 0, and what is wrong with it. */
  onSkip?(skip: { index: number; reason: string }): void;
  signal?: AbortSignal | undefined;
}

/** A JSON file of records. */
export interface Dataset<R = DatasetRecord> {
  readonly name: string;
  readonly path: string;
  /** Streams the records, so that a file of any size can be read without holding the event loop. */
  records(options?: RecordOptions): AsyncIterable<R>;
  /** sha256, hex, of the file. */
  contentHash(): Promise<string>;
}

export const datasets = {
  /** A JSON file in the format of CounterFact and multi-CounterFact, or of the derived 10,000-record file. */
  counterfact(file: string): Dataset<CounterFactRecord> {
    return new FileDataset("counterfact", path.resolve(file), COUNTERFACT);
  },
  /** A JSON file of question answering records as MEND has split them. */
  zsre(file: string): Dataset<ZsreRecord> {
    return new FileDataset("zsre", path.resolve(file), { parse: parseZsreRecord });
  },
  /** A JSON file of facts for causal tracing. */
  known(file: string): Dataset<KnownFact> {
    return new FileDataset("known", path.resolve(file), {
      parse: parseKnownFact,
      idOf: ({ knownId }) => `known_id ${knownId}`,
    });
  },
  /** The edits that come with the built-in model. */
  atlas(): Dataset<CounterFactRecord> {
    return new FileDataset("atlas", builtinFiles("atlas").edits, COUNTERFACT);
  },
};

/** A data set of facts to edit by its name on the command line. @throws ERR_INVALID_ARGUMENT */
export function openDataset(spec: string): Dataset {
  if (spec === "atlas") return datasets.atlas();
  const [, format, file] = /^(counterfact|zsre):(.+)$/s.exec(spec) ?? [];
  if (format === "counterfact") return datasets.counterfact(file!);
  if (format === "zsre") return datasets.zsre(file!);
  throw new LyaplockError(
    "ERR_INVALID_ARGUMENT",
    `there is no data set "${spec}"; there are atlas, counterfact:FILE and zsre:FILE`,
  );
}

/** How the records of a file are read. */
interface RecordFormat<R> {
  /** @throws LyaplockError, saying what is wrong with the record */
  parse(json: unknown, index: number): R;
  /** A name that two records must not share, where they have one of their own. */
  idOf?(record: R): string;
}

const COUNTERFACT: RecordFormat<CounterFactRecord> = {
  parse: parseCounterFactRecord,
  idOf: ({ caseId }) => `case_id ${caseId}`,
};

class FileDataset<R> implements Dataset<R> {
  constructor(
    readonly name: string,
    readonly path: string,
    private readonly format: RecordFormat<R>,
  ) {}

  async *records({ shuffle: seed, ...options }: RecordOptions = {}): AsyncGenerator<R> {
    const { offset = 0, limit = Infinity, ...passed } = options;
    if (limit <= 0) return;
    if (seed !== undefined) {
      const all: R[] = [];
      for await (const record of this.goodRecords(passed)) all.push(record);
      shuffle(all, seed);
      yield* all.slice(offset, offset + limit);
      return;
    }
    let good = 0;
    for await (const record of this.goodRecords(passed)) {
      if (good++ < offset) continue;
      yield record;
      if (good === offset + limit) return;
    }
  }

  contentHash(): Promise<string> {
    return contentHash([this.path]);
  }

  private async *goodRecords({ onSkip, signal }: Pick<RecordOptions, "onSkip" | "signal">): AsyncGenerator<R> {
    const seen = new Set<string>();
    let index = -1;
    for await (const json of readJsonArray(this.path, signal)) {
      index++;
      const record = this.parseOrSkip(json, index, seen, onSkip);
      if (record !== undefined) yield record;
    }
  }

  private parseOrSkip(json: unknown, index: number, seen: Set<string>, onSkip: RecordOptions["onSkip"]): R | undefined {
    try {
      const record = this.format.parse(json, index);
      const id = this.format.idOf?.(record);
      if (id !== undefined && seen.has(id)) throw new LyaplockError("ERR_FACT", `${id} was used before`);
      if (id !== undefined) seen.add(id);
      return record;
    } catch (error) {
      if (!(error instanceof LyaplockError)) throw error;
      onSkip?.({ index, reason: error.message });
      return undefined;
    }
  }
}
