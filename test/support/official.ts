import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Families whose reference numbers lie in test/fixtures/official (see the README there). */
export const FAMILIES = ["tiny-gpt2", "tiny-llama"] as const;
export type Family = (typeof FAMILIES)[number];
/** Those and tiny-gptj, of which there is what the engine takes and gives, and no model that runs. */
export const ENGINE_FAMILIES = [...FAMILIES, "tiny-gptj"] as const;
export type EngineFamily = (typeof ENGINE_FAMILIES)[number];

/** The path of a fixture: `officialPath("tiny-gpt2", "model")`. */
export function officialPath(family: EngineFamily, ...parts: string[]): string {
  return path.join(fileURLToPath(new URL("../fixtures/official", import.meta.url)), family, ...parts);
}

/** A JSON fixture; the caller says what it holds. */
export function officialJson<T>(family: EngineFamily, ...parts: string[]): T {
  return JSON.parse(readFileSync(officialPath(family, ...parts), "utf8")) as T;
}
