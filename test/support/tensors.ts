import { addon, call } from "../../src/native/index.js";

export interface Tensor {
  rows: number;
  cols: number;
  values: Float64Array;
}

/** All tensors of a safetensors file, in float64. */
export async function readTensors(path: string): Promise<Map<string, Tensor>> {
  const { tensors } = await call(() => addon().readTensors(path));
  const read = new Map<string, Tensor>();
  for (const [name, matrix] of Object.entries(tensors)) {
    read.set(name, { rows: matrix.rows, cols: matrix.cols, values: await call(() => matrix.toFloat64Array()) });
    matrix.dispose();
  }
  return read;
}

/** A column per fact, as the reference writes matrices, to a row per fact. */
export function turned({ rows, cols, values }: Tensor): Tensor {
  const out = new Float64Array(values.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[j * rows + i] = values[i * cols + j]!;
  return { rows: cols, cols: rows, values: out };
}
