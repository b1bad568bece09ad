import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileError } from "../base/file-error.js";
import { type SecondMoment, SecondMoments } from "../edit/second-moments.js";
import { readLayerMoment, writeLayerMoment } from "./layer-moment-file.js";

export { type CachedMomentsOptions, type CollectionEstimate, cachedSecondMoments } from "./second-moments-cache.js";

/**
 * Second moments from a directory with a file layer-<i>.safetensors for every layer: tensor `second_moment` [d, d], metadata
 * `count`.
 *
 * @param width d, the width of the down-projection's input.
 * @throws ERR_FILE, ERR_MODEL_FORMAT, ERR_SHAPE for another width, ERR_NOT_FINITE; each names the file.
 */
export async function readSecondMoments(
  directory: string,
  layers: readonly number[],
  width: number,
): Promise<SecondMoments> {
  const moments = new Map<number, SecondMoment>();
  try {
    for (const layer of layers) moments.set(layer, await readLayerMoment(layerFile(directory, layer), width));
  } catch (error) {
    for (const { covariance } of moments.values()) covariance.dispose();
    throw error;
  }
  return SecondMoments.fromMatrices(moments);
}

/** Writes what `readSecondMoments` reads. `metadata` goes into every file beside `count` and `layer`. @throws ERR_FILE */
export async function writeSecondMoments(
  directory: string,
  moments: SecondMoments,
  metadata: Record<string, string> = {},
): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw fileError("make the directory", directory, error);
  }
  for (const layer of moments.layers) await writeLayerFile(directory, layer, moments.get(layer), metadata);
}

/** The same for one layer, into a directory that is there. @throws ERR_FILE */
export function writeLayerFile(
  directory: string,
  layer: number,
  moment: SecondMoment,
  metadata: Record<string, string> = {},
): Promise<void> {
  return writeLayerMoment(layerFile(directory, layer), moment, { ...metadata, layer: String(layer) });
}

function layerFile(directory: string, layer: number): string {
  return path.join(directory, `layer-${layer}.safetensors`);
}
