import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeJson } from "../base/files.js";
import type { Hyperparameters } from "../edit/hyperparameters.js";
import type { LayerReport } from "../edit/report.js";
import type { LanguageModel, SaveType } from "../model/language-model.js";
import type { LayerSuggestion } from "../trace/index.js";
import type { MethodRecord } from "./method.js";
import type { SkippedFact } from "./skipped.js";
import { type WeightChange, weightChanges } from "./weight-changes.js";

/** How an edited model came to be: lyaplock-edit.json beside its weights. */
export interface EditRecord {
  original: { name: string; source: string; hash: string };
  method: MethodRecord;
  hyperparameters: Hyperparameters;
  /** What "auto" chose the layers by. */
  suggestion?: LayerSuggestion | undefined;
  edits: number;
  skipped: SkippedFact[];
  /** After the last batch. */
  layers: LayerReport[];
  weightChanges: WeightChange[];
}

/** The record of a model as it is now, before it is saved. */
export async function recordEdits(model: LanguageModel, about: Omit<EditRecord, "weightChanges">): Promise<EditRecord> {
  return { ...about, weightChanges: await weightChanges(model) };
}

/**
 * Saves the model with its record, both or neither. The record comes second, so a directory that has one is complete.
 *
 * @returns The record as it was written: with what saving has rounded.
 */
export async function saveEditedModel(
  model: LanguageModel,
  directory: string,
  edits: EditRecord,
  dtype: SaveType | undefined,
): Promise<EditRecord> {
  const saved = await model.save(directory, { dtype });
  const changes = edits.weightChanges.map((change) => {
    const { type, rounding } = saved.find(({ layer }) => layer === change.layer)!;
    return { ...change, saved: { type, rounding } };
  });
  const record = { ...edits, weightChanges: changes };
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
