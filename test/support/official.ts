import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Families whose reference numbers lie in test/fixtures/official (see the README there). */
export const FAMILIES = ["tiny-gpt2", "tiny-llama", "tiny-gptj"] as const;
export type Family = (typeof FAMILIES)[number];

/** The path of a fixture: `officialPath("tiny-gpt2", "model")`. */
export function officialPath(family: Family, ...parts: string[]): string {
  return path.join(fileURLToPath(new URL("../fixtures/official", import.meta.url)), family, ...parts);
}

/** A JSON fixture; the caller says what it holds. */
export function officialJson<T>(family: Family, ...parts: string[]): T {
  return JSON.parse(readFileSync(officialPath(family, ...parts), "utf8")) as T;
}
