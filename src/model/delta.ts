import { createHash } from "node:crypto";
import { z } from "zod";
import { contentHash } from "../base/content-hash.js";
import { describeIssues } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";
import type { DeltaDirection, NativeMatrix, NativeModel } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { matrixHash } from "./matrix-hash.js";

/** A delta a model was changed by when it was loaded. */
export interface ModelDelta {
  direction: DeltaDirection;
  path: string;
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "expected a sha256");

/** Of what a delta changes, before and after. */
const hashes = { original: sha256, edited: sha256 };

/** Metadata of a delta file; tensors are described in native/model/delta_file.h. */
const metadataSchema = z.object({
  format: z.literal("lyaplock-delta"),
  version: z.literal("1"),
  /** Name and content hash of the model that the edited weights were made of. */
  model: z.string(),
  base: sha256,
  /** JSON: by layer, the hash of the weight, [m, d] float32, before and after; and of the bias, [m], where that was edited. */
  layers: z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.addIssue({ code: "custom", message: "expected JSON" });
        return z.NEVER;
      }
    })
    .pipe(z.record(z.string().regex(/^\d+$/), z.object({ ...hashes, bias: z.object(hashes).optional() }))),
});
type Metadata = z.infer<typeof metadataSchema>;

/**
 * Writes what editing changed of a model: all layers that differ, each as factors of its drift or as a dense difference,
 * whichever is smaller.
 *
 * @param drifts In float64, by layer. Without them every layer is dense: weights that were rounded do not tell.
 */
export async function writeDelta(
  model: { name: string; native: NativeModel; layers: number; base: string },
  file: string,
  drifts: ReadonlyMap<number, NativeMatrix>,
): Promise<void> {
  const { native } = model;
  const layers: { layer: number; drift: NativeMatrix | undefined }[] = [];
  const hashes: Metadata["layers"] = {};
  for (let layer = 0; layer < model.layers; layer++) {
    const { changed } = await call(() => native.weightChange(layer));
    if (changed === 0) continue;
    layers.push({ layer, drift: drifts.get(layer) });
    hashes[layer] = {
      original: await matrixHash(await call(() => native.originalWeight(layer))),
      edited: await matrixHash(await call(() => native.weight(layer))),
    };
    const bias = await biasHashes(native, layer);
    if (bias !== undefined && bias.original !== bias.edited) hashes[layer].bias = bias;
  }
  if (layers.length === 0) {
    throw new LyaplockError("ERR_UNSUPPORTED", `no weight of ${model.name} was edited; there is no delta to write`);
  }
  const metadata = { format: "lyaplock-delta", version: "1", model: model.name, base: model.base };
  await call(() => native.writeDelta(file, layers, { ...metadata, layers: JSON.stringify(hashes) }));
}

/** Undefined where the family has no bias. */
async function biasHashes(
  native: NativeModel,
  layer: number,
): Promise<{ original: string; edited: string } | undefined> {
  const [original, edited] = [await call(() => native.originalBias(layer)), await call(() => native.bias(layer))];
  if (original === null || edited === null) return undefined;
  return { original: await matrixHash(original), edited: await matrixHash(edited) };
}

/** Weights as they were loaded. */
export interface LoadedWeights {
  native: NativeModel;
  layers: number;
  /** The content hash of the model so far. */
  base: string;
}

/**
 * Puts a delta on freshly loaded weights, or takes it off, to the bit.
 *
 * @returns Its content hash from here on.
 * @throws ERR_DELTA if the model is not the one the delta was made of (apply), not the edited one (remove), or the change
 *   was made before; ERR_MODEL_FORMAT for a file that is damaged, or no delta; ERR_FILE
 */
export async function changeByDelta(
  { native, layers, base }: LoadedWeights,
  { direction, path: file }: ModelDelta,
): Promise<string> {
  const metadata = await readMetadata(file);
  const beyond = Object.keys(metadata.layers).find((layer) => Number(layer) >= layers);
  if (beyond !== undefined) {
    const what = `${file} changes layer ${beyond}, and this model has layers 0 to ${layers - 1}`;
    throw new LyaplockError("ERR_DELTA", `${what}. It was made for ${metadata.model}.`);
  }
  await refuseOtherWeights(native, direction, file, metadata);
  if (direction === "apply" && metadata.base !== base) {
    throw new LyaplockError(
      "ERR_DELTA",
      `${file} was made for ${metadata.model} with the content ${short(metadata.base)}; this model's is ${short(base)}. ` +
        "The edited layers agree, something else in config.json or the weights does not: use the very files it was made for.",
    );
  }
  const fileHash = await contentHash([file]);
  await call(() => native.changeByDelta(file, direction));
  const became = direction === "apply" ? "edited" : "original";
  for (const [layer, hashes] of Object.entries(metadata.layers)) {
    if ((await whichHashes(native, Number(layer), hashes)) !== became) {
      throw new LyaplockError("ERR_MODEL_FORMAT", `${file} is damaged: layer ${layer} does not become what it should`);
    }
  }
  return createHash("sha256").update(`${base}\n${direction}\n${fileHash}`).digest("hex");
}

async function readMetadata(file: string): Promise<Metadata> {
  const { data, error } = metadataSchema.safeParse(await call(() => addon().readMetadata(file)));
  if (data !== undefined) return data;
  const what = `${file} is not a delta that lyaplock edit --delta wrote: ${describeIssues(error)}`;
  throw new LyaplockError("ERR_MODEL_FORMAT", what);
}

/** Which of the two the weight of a layer is, and its bias with it where a delta speaks of that. */
async function whichHashes(
  native: NativeModel,
  layer: number,
  hashes: Metadata["layers"][string],
): Promise<"original" | "edited" | undefined> {
  const weight = await matrixHash(await call(() => native.weight(layer)));
  const bias = hashes.bias && (await biasHashes(native, layer))?.edited;
  return (["original", "edited"] as const).find((state) => weight === hashes[state] && bias === hashes.bias?.[state]);
}

/** Says which of the two a model with other weights is, as far as can be told. */
async function refuseOtherWeights(
  native: NativeModel,
  direction: DeltaDirection,
  file: string,
  { model, layers }: Metadata,
): Promise<void> {
  const [wanted, unwanted] =
    direction === "apply" ? (["original", "edited"] as const) : (["edited", "original"] as const);
  const wrong: { layer: string; isUnwanted: boolean }[] = [];
  for (const [layer, hashes] of Object.entries(layers)) {
    const found = await whichHashes(native, Number(layer), hashes);
    if (found !== wanted) wrong.push({ layer, isUnwanted: found === unwanted });
  }
  if (wrong.length === 0) return;
  if (wrong.every(({ isUnwanted }) => isUnwanted) && wrong.length === Object.keys(layers).length) {
    const what = direction === "apply" ? "is in this model already" : "is not in this model";
    throw new LyaplockError("ERR_DELTA", `${file} ${what}: its layers have their ${unwanted} weights`);
  }
  const { layer } = wrong.find(({ isUnwanted }) => !isUnwanted) ?? wrong[0]!;
  const advice =
    direction === "apply"
      ? `Apply it to ${model} as it was when the delta was made.`
      : "Remove it from the model that was edited, saved with --dtype f32 where its own type is a smaller one: rounded " +
        "weights have lost what would be needed.";
  const what = `${file} does not fit: layer ${layer} of this model does not have the ${wanted} weight`;
  throw new LyaplockError("ERR_DELTA", `${what}. ${advice}`);
}

function short(hash: string): string {
  return `${hash.slice(0, 12)}…`;
}
