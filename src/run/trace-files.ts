import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { evenlySpread } from "../base/evenly-spread.js";
import { exists } from "../base/files.js";
import { describeIssues, readJsonFile } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";
import {
  type AveragedTrace,
  type LayerSuggestion,
  type SkippedTrace,
  type TracedFact,
  tokenRoles,
  traceKinds,
} from "../trace/index.js";
import { readJsonLines } from "./json-lines.js";

/** Single facts that are kept of a trace: a line of each takes kilobytes, and a trace has a thousand of them. */
const FACTS_KEPT = 4;

/** The places of a trace on disk. */
export class TraceDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  /** A line for each fact, as it is traced. */
  get facts(): string {
    return join(this.path, "trace.jsonl");
  }
  /** Written last. */
  get summary(): string {
    return join(this.path, "summary.json");
  }

  holdsTrace(): Promise<boolean> {
    return exists(this.facts);
  }
}

/** What a trace came to; summary.json. */
export interface TraceSummary {
  model: { name: string; hash: string };
  known: { file: string; hash: string };
  samples: number;
  seed: number;
  /** Standard deviation of the noise on the subject's token embeddings. */
  noise: number;
  window: number;
  layers: number;
  /** Facts that were looked at and not traced: the model answers otherwise, or they cannot be used. */
  skipped: Record<SkippedTrace["reason"], number>;
  average: AveragedTrace;
  /** Null where the trace gives no evidence, or MLPs were not traced. */
  suggestion: LayerSuggestion | null;
  seconds: number;
}

/** What the directory of a trace holds, read. */
export interface TraceFiles {
  /** Of the directory. */
  name: string;
  directory: string;
  summary: TraceSummary;
  /** A few of the facts, evenly spread over all. */
  facts: TracedFact[];
}

/** @throws ERR_RUN_DIRECTORY for one that is not finished, or whose files are damaged; ERR_FILE */
export async function readTrace(path: string): Promise<TraceFiles> {
  const directory = new TraceDirectory(path);
  if (!(await exists(directory.summary))) {
    throw damaged(directory.path, "holds a trace that was not finished: there is no summary.json");
  }
  const summary = checked(summarySchema, await readJsonFile(directory.summary, "ERR_RUN_DIRECTORY"), directory.summary);
  const total = summary.average.facts;
  const kept = new Set(
    evenlySpread(
      Array.from({ length: total }, (_, index) => index),
      FACTS_KEPT,
    ),
  );
  const facts: TracedFact[] = [];
  let lines = 0;
  for await (const line of readJsonLines<unknown>(directory.facts)) {
    if (kept.has(lines)) facts.push(checked(factSchema(summary.layers), line, `${directory.facts}, line ${lines + 1}`));
    lines++;
  }
  if (lines !== total) throw damaged(directory.facts, `has ${lines} facts, and summary.json is of ${total}`);
  return { name: basename(directory.path), directory: directory.path, summary, facts };
}

const probability = z.number().min(0).max(1);
const difference = z.number().min(-1).max(1);
const effect = z.object({ mean: difference, band: z.number().nullable() });
const count = z.int().nonnegative();
const effects = z.object({ count, mean: z.array(difference).min(1), band: z.array(z.number()).nullable() });

const summarySchema: z.ZodType<TraceSummary> = z
  .object({
    model: z.object({ name: z.string(), hash: z.string() }),
    known: z.object({ file: z.string(), hash: z.string() }),
    ...{ samples: count, seed: count, noise: z.number(), window: count, layers: count.min(1) },
    skipped: z.object({ unknown: count, unusable: count }),
    average: z.object({
      ...{ facts: count.min(1).max(10_000_000), high: effect, low: effect, totalEffect: effect },
      kinds: z.partialRecord(z.enum(traceKinds), z.partialRecord(z.enum(tokenRoles), effects)),
    }),
    suggestion: z
      .object({
        layers: z.array(count).min(1),
        peak: z.object({ layer: count, mean: difference, band: z.number() }),
        effects,
      })
      .nullable(),
    seconds: z.number(),
  })
  .refine(({ layers, average }) => {
    const all = Object.values(average.kinds).flatMap((roles) => Object.values(roles ?? {}));
    return all.every(({ mean, band }) => mean.length === layers && (band === null || band.length === layers));
  }, "the averages are not of as many layers as the model has");

function factSchema(layers: number): z.ZodType<TracedFact> {
  const scores = z.array(z.array(probability).length(layers));
  return z
    .object({
      ...{ knownId: z.number(), prompt: z.string(), subject: z.string(), answer: z.string() },
      ...{ tokens: z.array(count).min(1), tokenTexts: z.array(z.string()) },
      subjectRange: z.tuple([count, count]),
      ...{ high: probability, low: probability, noise: z.number(), window: count },
      scores: z.partialRecord(z.enum(traceKinds), scores),
    })
    .refine(({ tokens, tokenTexts, scores: all }) => {
      return [tokenTexts, ...Object.values(all)].every((rows) => rows?.length === tokens.length);
    }, "there are not as many texts or scores as tokens");
}

function checked<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  throw damaged(where, `is not of a trace: ${describeIssues(error)}`);
}

function damaged(where: string, what: string): LyaplockError {
  return new LyaplockError("ERR_RUN_DIRECTORY", `${where} ${what}. Trace again, with another --out.`);
}
