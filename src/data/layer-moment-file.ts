import { Turns } from "../base/yielding.js";
import type { SecondMoment } from "../edit/second-moments.js";
import { LyaplockError } from "../errors.js";
import type { NativeMatrix } from "../native/addon.js";
import { addon, call } from "../native/index.js";

const TENSOR = "second_moment";

/** A safetensors file with the tensor `second_moment` [d, d] and `count` in its metadata. */
export async function writeLayerMoment(
  file: string,
  moment: SecondMoment,
  metadata: Record<string, string>,
): Promise<void> {
  const { covariance, count } = moment;
  await call(() => addon().writeTensors(file, { [TENSOR]: covariance }, { ...metadata, count: String(count) }));
}

/**
 * The inverse of `writeLayerMoment`; the caller disposes of the matrix.
 *
 * @throws ERR_FILE, ERR_MODEL_FORMAT, ERR_SHAPE unless it is [width, width], ERR_NOT_FINITE
 */
export async function readLayerMoment(file: string, width: number): Promise<SecondMoment> {
  const { matrix: covariance, metadata } = await readSquare(file, TENSOR, width);
  try {
    await checkFinite(covariance, file);
    return { covariance, count: readCount(metadata.count, file) };
  } catch (error) {
    covariance.dispose();
    throw error;
  }
}

/**
 * One tensor [width, width] of a safetensors file, and the metadata of the file; the caller disposes of the matrix.
 *
 * @throws ERR_FILE, ERR_MODEL_FORMAT, ERR_SHAPE
 */
export async function readSquare(
  file: string,
  name: string,
  width: number,
): Promise<{ matrix: NativeMatrix; metadata: Record<string, string> }> {
  const { tensors, metadata } = await call(() => addon().readTensors(file));
  const { [name]: matrix, ...others } = tensors;
  for (const other of Object.values(others)) other.dispose();
  if (!matrix) throw new LyaplockError("ERR_MODEL_FORMAT", `${file} holds no tensor "${name}"`);
  const { rows, cols } = matrix;
  if (rows === width && cols === width) return { matrix, metadata };
  matrix.dispose();
  const wanted = `the down-projection's input is ${width} wide, so it must be [${width}, ${width}]`;
  throw new LyaplockError("ERR_SHAPE", `${file}: "${name}" is [${rows}, ${cols}]; ${wanted}. Is it of another model?`);
}

async function checkFinite(covariance: NativeMatrix, file: string): Promise<void> {
  const values = await call(() => covariance.toFloat64Array());
  const turns = new Turns();
  for (let row = 0; row < covariance.rows; row++) {
    await turns.next();
    const bad = values
      .subarray(row * covariance.cols, (row + 1) * covariance.cols)
      .findIndex((x) => !Number.isFinite(x));
    if (bad < 0) continue;
    const value = values[row * covariance.cols + bad];
    throw new LyaplockError("ERR_NOT_FINITE", `${file}: "${TENSOR}" is ${value} at [${row}, ${bad}]; collect it again`);
  }
}

function readCount(count: string | undefined, file: string): number {
  if (count !== undefined && /^[1-9]\d{0,15}$/.test(count)) return Number(count);
  const found = count === undefined ? "no count" : `the count "${count}"`;
  throw new LyaplockError("ERR_MODEL_FORMAT", `${file} has ${found} in its metadata; it must be the number of tokens`);
}
