import { z } from "zod";
import { describeIssues } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";

/**
 * Texts a prompt is put into, so that a fact holds in other contexts too: groups of templates with one "{}" each, where
 * the prompt goes. A key is the mean of the groups' means. The first group is the bare prompt alone.
 */
export type ContextTemplates = string[][];

const schema = z.array(z.array(z.string()).nonempty()).nonempty();

/** Templates from JSON: nested lists, the first template "{}". @throws ERR_INVALID_ARGUMENT */
export function parseContextTemplates(json: unknown): ContextTemplates {
  const parsed = schema.safeParse(json);
  const fail = (reason: string) => new LyaplockError("ERR_INVALID_ARGUMENT", `context templates: ${reason}`);
  if (!parsed.success) throw fail(describeIssues(parsed.error));
  const wrong = parsed.data.flat().find((template) => template.split("{}").length !== 2);
  if (wrong !== undefined) throw fail(`"${wrong}" must hold "{}" once`);
  if (parsed.data[0]![0] !== "{}") throw fail(`the first one must be "{}", the bare prompt`);
  return parsed.data;
}

/** How the texts begin, and how long they are in tokens (reference, section 4). */
const OPENINGS = ["The", "Therefore", "Because", "I", "You"];
const LENGTH = 10;
const FLAT_LENGTHS = [5, 10];

/** Templates sampled from the model as it is, as the published code does for the MEMIT family. */
export async function generateContextTemplates(
  model: LanguageModel,
  seed: number,
  signal?: AbortSignal,
): Promise<ContextTemplates> {
  const texts = await model.generate(OPENINGS, { maxLength: LENGTH, seed, ...(signal ? { signal } : {}) });
  return [["{}"], texts.map((text) => `${text.replace(/[{}]/g, " ")}. {}`)];
}

/** Templates of one weight each, 21 in all, as ROME's published code samples them: two texts for each opening and length. */
export async function generateFlatContextTemplates(
  model: LanguageModel,
  seed: number,
  signal?: AbortSignal,
): Promise<ContextTemplates> {
  const openings = OPENINGS.flatMap((opening) => [opening, opening]);
  const templates = ["{}"];
  for (const [i, maxLength] of FLAT_LENGTHS.entries()) {
    // Of another seed each: the longer ones shall not begin as the shorter ones do.
    const texts = await model.generate(openings, { maxLength, seed: seed + i, ...(signal ? { signal } : {}) });
    templates.push(...texts.map((text) => `${text.replace(/[{}]/g, "")}. {}`));
  }
  return [templates];
}
