import path from "node:path";
import { fileURLToPath } from "node:url";
import { LyaplockError } from "../errors.js";

/** Models that come with the package. */
export const BUILTIN_MODELS = ["atlas"] as const;
export type BuiltinModel = (typeof BUILTIN_MODELS)[number];

/** Where a built-in model lies; both src/model and dist/model are two levels below the package. */
export function builtinDirectory(name: string): string {
  if (!(BUILTIN_MODELS as readonly string[]).includes(name)) {
    const known = BUILTIN_MODELS.map((model) => `builtin:${model}`).join(", ");
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `there is no built-in model "${name}"; there is ${known}`);
  }
  return fileURLToPath(new URL(`../../models/${name}`, import.meta.url));
}

/** Paths of what a built-in model brings besides its weights. */
export interface BuiltinFiles {
  /** Under the reference's JSON names. */
  hyperparameters: string;
  contextTemplates: string;
  /** A text a line, for second moments. */
  texts: string;
  /** An array of CounterFact records. */
  edits: string;
  /** An array of known facts that no edit is about. */
  knowledge: string;
}

export function builtinFiles(name: BuiltinModel): BuiltinFiles {
  const directory = builtinDirectory(name);
  return {
    hyperparameters: path.join(directory, "hparams.json"),
    contextTemplates: path.join(directory, "context_templates.json"),
    texts: path.join(directory, "texts.txt"),
    edits: path.join(directory, "edits.json"),
    knowledge: path.join(directory, "knowledge.json"),
  };
}
