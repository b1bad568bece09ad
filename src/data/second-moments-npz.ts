import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { throwIfAborted } from "../base/abort.js";
import { fileError } from "../base/file-error.js";
import type { SecondMoment } from "../edit/second-moments.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { addon, call } from "../native/index.js";
import { readSquare } from "./layer-moment-file.js";
import { type NpyHeader, NpzFile } from "./npz.js";

/** The down-projection of a layer, as the statistics files name it. */
const MODULES: Record<string, RegExp> = {
  gpt2: /^transformer\.h\.(\d+)\.mlp\.c_proj$/,
  llama: /^model\.layers\.(\d+)\.mlp\.down_proj$/,
};

export interface PublishedMoment {
  layer: number;
  moment: SecondMoment;
  /** What the file tells of its making. */
  metadata: Record<string, string>;
}

/**
 * Reads a published statistics file (reference, section 5): `mom2.mom2` [d, d], the *sum* of k kᵀ in float32 or float64, and
 * `mom2.count`, the tokens. Its path tells model, layer and documents,
 * {stats}/{model}/{dataset}_stats/{module}_{type}_mom2_{documents}.npz, and what it tells must fit; a file by another name
 * needs `layer`.
 *
 * @param scratch A directory for a file as large as the sum, for as long as this takes.
 * @throws ERR_INVALID_ARGUMENT when it is of another model, layer or number of documents than its name says, ERR_SHAPE for
 *   another width, ERR_MODEL_FORMAT, ERR_NOT_FINITE, ERR_FILE, ERR_ABORTED
 */
export async function readPublishedMoment(
  file: string,
  model: LanguageModel,
  { layer: asked, scratch, signal }: { layer?: number | undefined; scratch: string; signal?: AbortSignal | undefined },
): Promise<PublishedMoment> {
  const name = checkName(file, model, asked);
  const npz = await NpzFile.open(file);
  try {
    const documents = npz.names.includes("sample_size") ? await npz.number("sample_size") : undefined;
    if (name.documents !== undefined && documents !== undefined && documents !== name.documents) {
      const what = `its name says ${name.documents} documents, its sample_size ${documents}`;
      throw new LyaplockError("ERR_INVALID_ARGUMENT", `${file}: ${what}. Was it renamed?`);
    }
    const width = model.config.feedForwardWidth;
    const count = checkCount(await npz.number("mom2.count"), width, file);
    const { header, bytes } = await npz.array("mom2.mom2");
    checkShape(header, width, file, model);
    const covariance = await meanOf(header, bytes, count, { file, scratch, signal });
    const metadata: Record<string, string> = { source: path.basename(file), precision: PRECISIONS[header.type]! };
    if (documents !== undefined) metadata.documents = String(documents);
    return { layer: name.layer, moment: { covariance, count }, metadata };
  } finally {
    npz.close();
  }
}

const PRECISIONS: Record<string, string> = { "<f4": "float32", "<f8": "float64" };
const DATA_TYPES: Record<string, string> = { "<f4": "F32", "<f8": "F64" };

function checkName(
  file: string,
  model: LanguageModel,
  asked: number | undefined,
): { layer: number; documents: number | undefined } {
  const fail = (what: string): never => {
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `${file}: ${what}`);
  };
  const [directory, of] = [path.basename(path.dirname(path.resolve(file))), path.resolve(file, "..", "..")];
  const modelName = model.name.replace(/^builtin:/, "");
  if (directory.endsWith("_stats") && !simple(path.basename(of)).endsWith(simple(modelName))) {
    const advice = `If it is of this model all the same, put it into a directory that is not named …_stats`;
    fail(`it lies in the statistics of ${path.basename(of)}, and the model is ${modelName}. ${advice}.`);
  }
  const [, module, documents] = /^(.+?)_float\d\d_mom2(?:_(\d{1,15}))?\.npz$/.exec(path.basename(file)) ?? [];
  const named = module === undefined ? undefined : MODULES[model.config.family]?.exec(module)?.[1];
  if (module !== undefined && named === undefined) {
    fail(
      `it is of the module ${module}, which is not a down-projection of a model of the family ${model.config.family}`,
    );
  }
  const layer = named === undefined ? asked : Number(named);
  if (layer === undefined) return fail("its name does not tell the layer. Give it with --layers.");
  if (asked !== undefined && asked !== layer) fail(`it is of layer ${layer}, where layer ${asked} was asked for`);
  if (layer >= model.config.layers)
    fail(`it is of layer ${layer}, and ${model.name} has ${model.config.layers} layers`);
  return { layer, documents: documents === undefined ? undefined : Number(documents) };
}

/** "EleutherAI_gpt-j-6B" and "gpt-j-6b" have the same end. */
const simple = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, "");

function checkCount(count: number, width: number, file: string): number {
  if (Number.isSafeInteger(count) && count >= width) return count;
  const what =
    Number.isSafeInteger(count) && count > 0
      ? `is over ${count} tokens, fewer than its width ${width}, and determines no second moment`
      : `has the count ${count}; it must be the number of tokens`;
  throw new LyaplockError("ERR_MODEL_FORMAT", `${file} ${what}`);
}

function checkShape({ type, shape }: NpyHeader, width: number, file: string, model: LanguageModel): void {
  if (DATA_TYPES[type] === undefined) {
    throw new LyaplockError("ERR_MODEL_FORMAT", `${file}: "mom2.mom2" is of the type ${type}; "<f4" or "<f8" are read`);
  }
  if (shape.length === 2 && shape[0] === width && shape[1] === width) return;
  const what = `the down-projection's input of ${model.name} is ${width} wide, so it must be [${width}, ${width}]`;
  throw new LyaplockError(
    "ERR_SHAPE",
    `${file}: "mom2.mom2" is [${shape.join(", ")}]; ${what}. Is it of another model?`,
  );
}

/**
 * The bytes go through a safetensors file into native memory, as they are: no array as large as the sum is made here. Which
 * index is the row does not matter, since the sum is symmetric, which native code checks.
 */
async function meanOf(
  { type, shape }: NpyHeader,
  bytes: AsyncGenerator<Buffer>,
  count: number,
  { file, scratch, signal }: { file: string; scratch: string; signal: AbortSignal | undefined },
) {
  const beside = path.join(scratch, `import.${randomBytes(4).toString("hex")}.tmp`);
  try {
    await pipeline(Readable.from(asSafetensors(type, shape, bytes)), createWriteStream(beside, { flags: "wx" }), {
      signal,
    });
    const { matrix: sum } = await readSquare(beside, "sum", shape[0]!);
    try {
      const moment = await call(() => addon().createSecondMomentFromSum(sum, count, "float64"));
      sum.dispose();
      try {
        return await call(() => moment.mean());
      } finally {
        moment.dispose();
      }
    } finally {
      sum.dispose();
    }
  } catch (error) {
    throwIfAborted(signal);
    if (error instanceof LyaplockError && error.code !== "ERR_FILE") {
      throw new LyaplockError(error.code, `${file}: ${error.message}`, { cause: error });
    }
    throw fileError("write", beside, error);
  } finally {
    await rm(beside, { force: true });
  }
}

async function* asSafetensors(type: string, shape: number[], bytes: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const size = shape.reduce((product, length) => product * length, type === "<f4" ? 4 : 8);
  const header = JSON.stringify({ sum: { dtype: DATA_TYPES[type], shape, data_offsets: [0, size] } });
  const padded = Buffer.from(header.padEnd(Math.ceil(header.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  yield Buffer.concat([length, padded]);
  yield* bytes;
}
