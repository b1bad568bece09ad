import path from "node:path";
import { fileURLToPath } from "node:url";

/** Fourteen items of our own for each GLUE task: four tests, short enough for the tiny models. */
export const glueDirectory = path.join(fileURLToPath(new URL("../fixtures/glue", import.meta.url)));
