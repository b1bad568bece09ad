import { createHash } from "node:crypto";
import { rename, rm } from "node:fs/promises";
import path from "node:path";
import { cacheDirectory } from "../base/cache-directory.js";
import { contentHash } from "../base/content-hash.js";
import type { CollectedFrom } from "../edit/second-moments.js";
import type { LanguageModel } from "../model/language-model.js";
import { addToHash } from "../model/matrix-hash.js";
import { call } from "../native/index.js";

/** Changes when the way moments are computed or kept does, so that old entries are left alone. */
export const VERSION = 2;

/** Where the cache of second moments is. */
export function momentsDirectory(): string {
  return path.join(cacheDirectory(), "second-moments");
}

/** Names in the cache begin with the source they belong to, 64 hexadecimal digits, whose lock guards them all. */
export function sourceOf(name: string): string | undefined {
  return /^[0-9a-f]{64}(?=[.-])/.exec(name)?.[0];
}

/** The paths of what is collected from one model and one choice of texts. */
export class MomentsPlace {
  constructor(readonly source: string) {}

  /**
   * The source is a hash of all that a second moment depends on, except its layer.
   *
   * Of the model that is config.json and the weight files whole, and what edits have changed in memory. Layers above the one
   * that is read do not matter to it, and are in the hash all the same: telling them apart would save little, since one
   * pass collects all layers, and an entry taken for another model's would be wrong without anyone noticing.
   */
  static async of(model: LanguageModel, textFiles: readonly string[], from: CollectedFrom): Promise<MomentsPlace> {
    const { maxLength = model.config.positions, tokens = "all", precision = "float64" } = from;
    const identity = [VERSION, await model.computedHash(), await hashChangedWeights(model)];
    identity.push(await contentHash(textFiles), maxLength, tokens, precision);
    return new MomentsPlace(sha256(identity.join("\n")));
  }

  get lock(): string {
    return this.path("lock", ".");
  }

  entry(layer: number): EntryPaths {
    const stem = `layer-${layer}`;
    return {
      layer,
      description: this.path(`${stem}.json`),
      moment: this.path(`${stem}.safetensors`),
      factor: this.path(`${stem}.factor.safetensors`),
    };
  }

  /** A directory. */
  unfinished(layers: readonly number[]): string {
    return this.path(`${sha256(layers.join()).slice(0, 8)}.unfinished`);
  }

  private path(name: string, separator = "-"): string {
    return path.join(momentsDirectory(), `${this.source}${separator}${name}`);
  }
}

export interface EntryPaths {
  layer: number;
  /** JSON, written last: an entry without it was not finished. */
  description: string;
  moment: string;
  factor: string;
}

/** Puts what cannot be trusted out of the way, for whoever wants to look at it. Nothing is done where there is nothing. */
export async function setAside(file: string): Promise<string> {
  const movedTo = `${file}.damaged`;
  await rm(movedTo, { recursive: true, force: true });
  await rename(file, movedTo).catch(() => {});
  return movedTo;
}

/** Of the down-projections that differ from the checkpoint. */
async function hashChangedWeights(model: LanguageModel): Promise<string> {
  const hash = createHash("sha256");
  for (let layer = 0; layer < model.config.layers; layer++) {
    const { changed } = await call(() => model.native.weightChange(layer));
    if (changed === 0) continue;
    hash.update(`${layer}\n`);
    await addToHash(hash, await call(() => model.native.weight(layer)));
  }
  return hash.digest("hex");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
