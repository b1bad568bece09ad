import { fileURLToPath } from "node:url";
import { z } from "zod";
import { describeIssues, readJsonFile } from "../../base/json-file.js";
import { LyaplockError } from "../../errors.js";

/** What Punkt has learnt about English (models/punkt-english). Words are in lower case, numbers read "##number##". */
export interface PunktModel {
  /** Without their last full stop. */
  abbreviations: ReadonlySet<string>;
  /** Two words with a blank between. */
  collocations: ReadonlySet<string>;
  sentenceStarters: ReadonlySet<string>;
  /** How a word was seen: a sum of `Seen`. */
  orthography: ReadonlyMap<string, number>;
}

/** Places and cases of a word in the text that Punkt was trained on. */
export const Seen = {
  upperWithin: 4,
  /** At the beginning of a sentence, within one, or where that is unknown. */
  upper: 2 + 4 + 8,
  lowerAtBeginning: 16,
  lower: 16 + 32 + 64,
} as const;

const schema = z.object({
  abbreviations: z.array(z.string()),
  collocations: z.array(z.tuple([z.string(), z.string()])),
  sentenceStarters: z.array(z.string()),
  orthography: z.record(z.string().regex(/^\d+$/), z.string()),
});

let model: Promise<PunktModel> | undefined;

/** Read once. @throws ERR_FILE, ERR_MODEL_FORMAT when the package is damaged */
export function punktModel(): Promise<PunktModel> {
  // Both src/evaluate/words and dist/evaluate/words are three levels below the package.
  model ??= read(fileURLToPath(new URL("../../../models/punkt-english/model.json", import.meta.url)));
  return model;
}

async function read(path: string): Promise<PunktModel> {
  const parsed = schema.safeParse(await readJsonFile(path, "ERR_MODEL_FORMAT"));
  if (!parsed.success) throw new LyaplockError("ERR_MODEL_FORMAT", `${path}: ${describeIssues(parsed.error)}`);
  const { abbreviations, collocations, sentenceStarters, orthography } = parsed.data;
  return {
    abbreviations: new Set(abbreviations),
    collocations: new Set(collocations.map((pair) => pair.join(" "))),
    sentenceStarters: new Set(sentenceStarters),
    orthography: new Map(
      Object.entries(orthography).flatMap(([seen, words]) => words.split(" ").map((word) => [word, Number(seen)])),
    ),
  };
}
