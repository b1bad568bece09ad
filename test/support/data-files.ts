import { fileURLToPath } from "node:url";

/** The path of one of our small data sets: `dataFile("zsre.json")`. */
export function dataFile(name: string): string {
  return fileURLToPath(new URL(`../fixtures/data/${name}`, import.meta.url));
}
