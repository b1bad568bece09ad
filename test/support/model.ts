import { onTestFinished } from "vitest";
import type { LanguageModel } from "../../src/model/language-model.js";
import { loadModel } from "../../src/model/load.js";
import { type Family, officialPath } from "./official.js";

/** A tiny model of the fixtures, disposed of when the test that asked for it has finished. */
export async function tinyModel(family: Family): Promise<LanguageModel> {
  const model = await loadModel(officialPath(family, "model"));
  onTestFinished(() => model.dispose());
  return model;
}
