import { readFileSync } from "node:fs";

/** What NLTK and scikit-learn make of some texts (test/fixtures/nltk/make.py). */
export const nltk = JSON.parse(readFileSync(new URL("../fixtures/nltk/words.json", import.meta.url), "utf8")) as {
  texts: { text: string; words: string[]; fluency: number }[];
  /** Cosines of three texts, joined, with the two after them; `first` says where the three begin. */
  likeness: { vocabulary: Record<string, number>; idf: number[]; first: number[]; cosines: number[] };
};
