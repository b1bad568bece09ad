import { createHash } from "node:crypto";
import { mkdir, rename } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { contentHash } from "../base/content-hash.js";
import { fileError } from "../base/file-error.js";
import { readJsonFile } from "../base/json-file.js";
import { writeWhole } from "../base/write-whole.js";
import { collectSecondMoments, type SecondMoment, SecondMoments } from "../edit/second-moments.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { cacheDirectory } from "./cache-directory.js";
import { readLayerMoment, writeLayerMoment } from "./layer-moment-file.js";
import { readTexts } from "./texts.js";

/** Changes when the way moments are computed does, so that old entries are left alone. */
const VERSION = 1;

/** Written after the tensor file: an entry without it was not finished. */
const entrySchema = z.looseObject({ sha256: z.string() });

export interface CachedMomentsOptions {
  layers: readonly number[];
  onProgress?(progress: { tokens: number; texts: number }): void;
  /** Told of an entry that was set aside because it cannot be trusted; it is computed again. */
  onDamaged?(entry: { path: string; movedTo: string; reason: string }): void;
  signal?: AbortSignal;
}

/**
 * Second moments of a model over the texts of some files: from the cache where they have been computed before. An entry
 * belongs to the content of model and texts, not to their names (Q21), and to one layer.
 *
 * @throws as `collectSecondMoments` and `readTexts`; ERR_FILE when the cache cannot be written.
 */
export async function cachedSecondMoments(
  model: LanguageModel,
  textFiles: readonly string[],
  { layers, onProgress, onDamaged, signal }: CachedMomentsOptions,
): Promise<SecondMoments> {
  const entries = await findEntries(model, textFiles, layers);
  const moments = new Map<number, SecondMoment>();
  for (const entry of entries) {
    const moment = await readEntry(entry, model.config.feedForwardWidth, onDamaged);
    if (moment) moments.set(entry.layer, moment);
  }
  const missing = entries.filter(({ layer }) => !moments.has(layer));
  if (missing.length > 0) {
    const collected = await collectSecondMoments(model, readAllTexts(textFiles, signal), {
      layers: missing.map(({ layer }) => layer),
      onProgress,
      signal,
    });
    for (const entry of missing) {
      moments.set(entry.layer, collected.get(entry.layer));
      await writeEntry(entry, collected.get(entry.layer), model.name);
    }
  }
  return SecondMoments.fromMatrices(moments);
}

interface Entry {
  layer: number;
  tensorFile: string;
  entryFile: string;
}

async function findEntries(
  model: LanguageModel,
  textFiles: readonly string[],
  layers: readonly number[],
): Promise<Entry[]> {
  const folder = path.join(cacheDirectory(), "second-moments");
  const [modelHash, textHash] = [await model.contentHash(), await contentHash(textFiles)];
  return layers.map((layer) => {
    const identity = [VERSION, modelHash, layer, textHash, model.config.positions].join("\n");
    const stem = path.join(folder, createHash("sha256").update(identity).digest("hex"));
    return { layer, tensorFile: `${stem}.safetensors`, entryFile: `${stem}.json` };
  });
}

async function readEntry(
  { tensorFile, entryFile }: Entry,
  width: number,
  onDamaged: CachedMomentsOptions["onDamaged"],
): Promise<SecondMoment | undefined> {
  try {
    const { sha256 } = entrySchema.parse(await readJsonFile(entryFile, "ERR_FILE"));
    const found = await contentHash([tensorFile]);
    if (found !== sha256) throw new LyaplockError("ERR_FILE", `its checksum is ${found}, not ${sha256}`);
    return await readLayerMoment(tensorFile, width);
  } catch (error) {
    if (isMissing(error)) return undefined;
    const movedTo = `${tensorFile}.damaged`;
    await rename(tensorFile, movedTo).catch(() => {}); // it may be the tensor file that is missing
    onDamaged?.({ path: tensorFile, movedTo, reason: (error as Error).message });
    return undefined;
  }
}

/** True when there is no entry, or only a tensor file whose entry was never finished. */
function isMissing(error: unknown): boolean {
  const cause = error instanceof LyaplockError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === "ENOENT" && cause.path?.endsWith(".json") === true;
}

async function writeEntry(
  { layer, tensorFile, entryFile }: Entry,
  moment: SecondMoment,
  modelName: string,
): Promise<void> {
  try {
    await mkdir(path.dirname(tensorFile), { recursive: true });
    await writeLayerMoment(tensorFile, moment, { layer: String(layer), model: modelName });
    const entry = { sha256: await contentHash([tensorFile]), layer, model: modelName, tokens: moment.count };
    await writeWhole(entryFile, `${JSON.stringify(entry, null, 2)}\n`);
  } catch (error) {
    throw fileError("write second moments into the cache,", tensorFile, error);
  }
}

async function* readAllTexts(files: readonly string[], signal?: AbortSignal): AsyncGenerator<string> {
  for (const file of files) yield* readTexts(file, { signal });
}
