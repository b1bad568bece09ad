import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nltk } from "./nltk.js";
import { npy } from "./npz.js";
import { temporaryDirectory } from "./temporary.js";

/** A directory of reference texts as published, of the vocabulary in test/fixtures/nltk; by (relation id, target id). */
export async function writeReferenceTexts(
  texts: [relation: string, target: string, texts: string[]][],
  directory?: string,
): Promise<string> {
  const place = directory ?? (await temporaryDirectory());
  const snippets = texts.map(([relation_id, target_id, samples]) => ({
    relation_id,
    target_id,
    samples: samples.map((text) => ({ name: "somebody", text })),
  }));
  await writeFile(join(place, "attribute_snippets.json"), JSON.stringify(snippets));
  await writeFile(join(place, "tfidf_vocab.json"), JSON.stringify(nltk.likeness.vocabulary));
  await writeFile(join(place, "idf.npy"), npy("<f8", [nltk.likeness.idf.length], Float64Array.from(nltk.likeness.idf)));
  return place;
}
