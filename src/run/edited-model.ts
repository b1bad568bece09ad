import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeJson } from "../base/files.js";
import type { Hyperparameters } from "../edit/hyperparameters.js";
import type { LayerReport } from "../edit/report.js";
import type { LanguageModel } from "../model/language-model.js";
import type { SkippedFact } from "./skipped.js";
import { type WeightChange, weightChanges } from "./weight-changes.js";

/** How an edited model came to be: lyaplock-edit.json beside its weights. */
export interface EditRecord {
  original: { name: string; hash: string };
  method: { name: string; alpha: number };
  hyperparameters: Hyperparameters;
  edits: number;
  skipped: SkippedFact[];
  /** After the last batch. */
  layers: LayerReport[];
  weightChanges: WeightChange[];
}

/** Saves the model with its record, both or neither. The record comes second, so a directory that has one is complete. */
export async function saveEditedModel(
  model: LanguageModel,
  directory: string,
  about: Omit<EditRecord, "weightChanges">,
): Promise<EditRecord> {
  const record: EditRecord = { ...about, weightChanges: await weightChanges(model) };
  await model.save(directory);
  try {
    await writeJson(recordPath(directory), record);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  return record;
}

/** The record of a complete edited model; undefined where there is none, or one whose saving was interrupted. */
export async function readEditRecord(directory: string): Promise<EditRecord | undefined> {
  try {
    return JSON.parse(await readFile(recordPath(directory), "utf8")) as EditRecord;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

const recordPath = (directory: string) => join(directory, "lyaplock-edit.json");
