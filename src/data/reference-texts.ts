import path from "node:path";
import { z } from "zod";
import { contentHash } from "../base/content-hash.js";
import { describeIssues, readJsonFile } from "../base/json-file.js";
import { Turns } from "../base/yielding.js";
import { LyaplockError } from "../errors.js";
import { readJsonArray } from "./json-array.js";
import { readNpyVector } from "./npy.js";

/** Texts that people wrote on what facts are about, and what weighs their words: for consistency (reference, section 12.1). */
export interface ReferenceTexts {
  /** By "relation id target id", as "P103 Q1860". */
  texts: ReadonlyMap<string, string[]>;
  /** Index of a word in `idf`. */
  vocabulary: ReadonlyMap<string, number>;
  /** Inverse document frequencies. */
  idf: Float64Array;
}

const snippets = z.looseObject({
  relation_id: z.string(),
  target_id: z.string(),
  samples: z.array(z.looseObject({ text: z.string() })),
});

/**
 * Reads attribute_snippets.json, tfidf_vocab.json and idf.npy of a directory, as they are published with CounterFact.
 *
 * @throws ERR_FILE, ERR_DATASET_FORMAT, ERR_ABORTED
 */
export async function readReferenceTexts(
  directory: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<ReferenceTexts> {
  const files = filesOf(directory);
  const idf = await readNpyVector(files.idf);
  return {
    idf,
    vocabulary: await readVocabulary(files.vocabulary, idf, signal),
    texts: await readSnippets(files.texts, signal),
  };
}

/** sha256, hex, of the three files. @throws ERR_FILE */
export function hashReferenceTexts(directory: string): Promise<string> {
  return contentHash(Object.values(filesOf(directory)));
}

function filesOf(directory: string) {
  return {
    texts: path.join(directory, "attribute_snippets.json"),
    vocabulary: path.join(directory, "tfidf_vocab.json"),
    idf: path.join(directory, "idf.npy"),
  };
}

async function readVocabulary(file: string, idf: Float64Array, signal?: AbortSignal): Promise<Map<string, number>> {
  const fail = (what: string) => new LyaplockError("ERR_DATASET_FORMAT", `${file}: ${what}`);
  const json = await readJsonFile(file, "ERR_DATASET_FORMAT");
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw fail("expected an object of indices");
  const turns = new Turns(signal);
  const vocabulary = new Map<string, number>();
  for (const [word, index] of Object.entries(json)) {
    await turns.next();
    if (!Number.isInteger(index) || index < 0 || index >= idf.length) {
      throw fail(`"${word}" has the index ${JSON.stringify(index)}, and idf.npy has ${idf.length} numbers`);
    }
    vocabulary.set(word, index);
  }
  return vocabulary;
}

async function readSnippets(file: string, signal: AbortSignal | undefined): Promise<Map<string, string[]>> {
  const texts = new Map<string, string[]>();
  let index = 0;
  for await (const json of readJsonArray(file, signal)) {
    const parsed = snippets.safeParse(json);
    if (!parsed.success) {
      const what = `element ${index}: ${describeIssues(parsed.error)}`;
      throw new LyaplockError("ERR_DATASET_FORMAT", `${file}: ${what}`);
    }
    const { relation_id: relation, target_id: target, samples } = parsed.data;
    const key = `${relation} ${target}`;
    const known = texts.get(key) ?? [];
    texts.set(key, known);
    for (const { text } of samples) known.push(text);
    index++;
  }
  return texts;
}
