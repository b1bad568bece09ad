import { Turns } from "../base/yielding.js";
import type { ReferenceTexts } from "../data/reference-texts.js";
import { WORD } from "./words/python-text.js";

const words = new RegExp(`[${WORD}]{2,}`, "gu");

/**
 * How like texts are to those on the same subject that people wrote (reference, section 12.1): the cosine of their TF-IDF
 * vectors, with the published vocabulary and its inverse document frequencies.
 */
export class Consistency {
  private readonly vectors = new Map<string, Map<number, number>>();

  constructor(private readonly references: ReferenceTexts) {}

  /** 0 to 1; undefined where there are no reference texts on that. */
  async of(texts: readonly string[], relationId: string, targetId: string): Promise<number | undefined> {
    const key = `${relationId} ${targetId}`;
    const references = this.references.texts.get(key);
    if (references === undefined) return undefined;
    let vector = this.vectors.get(key);
    if (vector === undefined) {
      vector = await this.vectorOf(references);
      this.vectors.set(key, vector);
    }
    let similarity = 0;
    for (const [term, weight] of await this.vectorOf(texts)) similarity += weight * (vector.get(term) ?? 0);
    return similarity;
  }

  /** Counts times inverse document frequencies, of length 1; without entries where no word is in the vocabulary. */
  private async vectorOf(texts: readonly string[]): Promise<Map<number, number>> {
    const { vocabulary, idf } = this.references;
    const turns = new Turns();
    const vector = new Map<number, number>();
    for (const text of texts) {
      await turns.next();
      for (const [word] of text.toLowerCase().matchAll(words)) {
        const term = vocabulary.get(word!);
        if (term !== undefined) vector.set(term, (vector.get(term) ?? 0) + idf[term]!);
      }
    }
    const norm = Math.sqrt([...vector.values()].reduce((sum, weight) => sum + weight ** 2, 0));
    for (const [term, weight] of vector) vector.set(term, weight / norm);
    return vector;
  }
}
