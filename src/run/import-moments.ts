import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { named } from "../base/files.js";
import { readPublishedMoment, writeLayerFile } from "../data/index.js";
import { LyaplockError } from "../errors.js";
import type { CollectedMoments } from "./collect-moments.js";
import type { RunEvents } from "./events.js";
import { openModel } from "./open-model.js";

export interface ImportOptions {
  model: string;
  /** Published statistics files, one of each layer. */
  files: string[];
  /** Of the files, in their order; only needed where their names do not tell. */
  layers?: number[];
  /** Where to write layer-<i>.safetensors. */
  directory: string;
}

/** Makes second moments that `--moments` reads out of the statistics files that others have published. */
export async function importMoments(
  { model: source, files, layers, directory }: ImportOptions,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<CollectedMoments> {
  if (layers !== undefined && layers.length !== files.length) {
    const what = `${files.length} files and ${layers.length} layers were given; give one of each, in the same order`;
    throw new LyaplockError("ERR_INVALID_ARGUMENT", what);
  }
  const model = await openModel({ model: source }, events, signal);
  try {
    const scratch = resolve(directory);
    await named("make the directory", scratch, () => mkdir(scratch, { recursive: true }));
    const imported: { layer: number; tokens: number }[] = [];
    for (const [i, file] of files.entries()) {
      events.onProgress?.({ stage: "import", detail: file, done: i, of: files.length, unit: "files" });
      const { layer, moment, metadata } = await readPublishedMoment(file, model, {
        layer: layers?.[i],
        scratch,
        signal,
      });
      try {
        if (imported.some((other) => other.layer === layer)) {
          throw new LyaplockError("ERR_INVALID_ARGUMENT", `${file} is the second file of layer ${layer}`);
        }
        await writeLayerFile(scratch, layer, moment, { ...metadata, model: await model.contentHash() });
      } finally {
        moment.covariance.dispose();
      }
      imported.push({ layer, tokens: moment.count });
    }
    events.onProgress?.({ stage: "import", done: files.length, of: files.length, unit: "files" });
    imported.sort((a, b) => a.layer - b.layer);
    return { model: model.name, layers: imported, directory: scratch };
  } finally {
    model.dispose();
  }
}
