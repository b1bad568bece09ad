import { wordsOf } from "./words/words.js";

/**
 * How little a text repeats itself (reference, section 12.1): the entropies in bits of its word pairs and triples, weighted 2/3
 * and 4/3 and halved. A text without a pair has 0.
 */
export async function fluencyOf(text: string): Promise<number> {
  const words = await wordsOf(text);
  return ((2 / 3) * entropyOfRuns(words, 2) + (4 / 3) * entropyOfRuns(words, 3)) / 2;
}

/** Entropy in bits of how often each run of `length` words occurs. */
function entropyOfRuns(words: readonly string[], length: number): number {
  const counts = new Map<string, number>();
  const runs = words.length - length + 1;
  for (let i = 0; i < runs; i++) {
    const run = words.slice(i, i + length).join(" "); // words hold no blanks
    counts.set(run, (counts.get(run) ?? 0) + 1);
  }
  let entropy = 0;
  for (const count of counts.values()) entropy -= (count / runs) * Math.log2(count / runs);
  return entropy;
}
