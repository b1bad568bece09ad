import path from "node:path";
import { z } from "zod";
import { contentHash } from "../base/content-hash.js";
import { describeIssues } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";
import { readJsonArray } from "./json-array.js";

/** Items of a file that are left for examples before a question; the tests come after them (reference, section 13). */
export const RESERVED_ITEMS = 10;
/** Tests of a task, where its file has as many. */
export const TESTS = 100;

const binary = z.union([z.literal(0), z.literal(1)]);
const sentence = z.looseObject({ sentence: z.string(), label: binary });
const pair = z.looseObject({ sentence1: z.string(), sentence2: z.string(), label: binary });
const inference = z.looseObject({
  sentence1: z.string(),
  sentence2: z.string(),
  label: z.enum(["entailment", "not_entailment"]),
});
const question = z.looseObject({
  question: z.string(),
  choices: z.tuple([z.string(), z.string(), z.string(), z.string()]),
  answer: z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3)]),
});

/** What a file holds for each task, as GLUE and MMLU are published. */
const items = { sst: sentence, mrpc: pair, cola: sentence, rte: pair, nli: inference, mmlu: question };

export type GlueTaskName = keyof typeof items;
export type GlueItem<Name extends GlueTaskName> = z.infer<(typeof items)[Name]>;

/** An item with its place in its file, from 0. */
export interface GlueTest<Name extends GlueTaskName> {
  index: number;
  item: GlueItem<Name>;
}

/** The tests of every task, in the order of its file. */
export type GlueTests = { [Name in GlueTaskName]: GlueTest<Name>[] };

export const glueFiles: Record<GlueTaskName, string> = {
  sst: "sst2.json",
  mrpc: "mrpc.json",
  cola: "cola.json",
  rte: "rte.json",
  nli: "nli.json",
  mmlu: "mmlu.json",
};

/** Names of the six tasks, in the order they are evaluated and shown. */
export const glueTaskNames = Object.keys(items) as GlueTaskName[];

/**
 * Reads the tests of the six tasks: items 10 to 109 of each file in `directory`, which is an array of items. No bad item is
 * passed over: that would move all later ones.
 *
 * @throws ERR_FILE; ERR_DATASET_FORMAT with the file, the item's index from 0 and what is wrong; ERR_ABORTED
 */
export async function readGlue(directory: string, { signal }: { signal?: AbortSignal } = {}): Promise<GlueTests> {
  const tests: Partial<Record<GlueTaskName, unknown[]>> = {};
  for (const name of glueTaskNames) tests[name] = await readTests(name, path.join(directory, glueFiles[name]), signal);
  return tests as GlueTests;
}

/** sha256, hex, of the six files. @throws ERR_FILE */
export function glueHash(directory: string): Promise<string> {
  return contentHash(glueTaskNames.map((name) => path.join(directory, glueFiles[name])));
}

async function readTests<Name extends GlueTaskName>(
  name: Name,
  file: string,
  signal?: AbortSignal,
): Promise<GlueTest<Name>[]> {
  const tests: GlueTest<Name>[] = [];
  let index = 0;
  for await (const json of readJsonArray(file, signal)) {
    const { success, data, error } = items[name].safeParse(json);
    if (!success) {
      throw new LyaplockError("ERR_DATASET_FORMAT", `${file}: item ${index}: ${describeIssues(error)}`);
    }
    if (index >= RESERVED_ITEMS) tests.push({ index, item: data as GlueItem<Name> });
    index++;
    if (tests.length === TESTS) break;
  }
  if (tests.length > 0) return tests;
  const what = `has ${index} items, and the first ${RESERVED_ITEMS} are not tested; a task needs more`;
  throw new LyaplockError("ERR_DATASET_FORMAT", `${file} ${what}.`);
}
