import { readFile, writeFile } from "node:fs/promises";

/** Writes one float64 matrix as a safetensors file. Nothing is checked: tests write broken ones. */
export async function writeMatrix(
  path: string,
  name: string,
  values: Float64Array,
  shape: number[],
  metadata: Record<string, string>,
): Promise<void> {
  const tensor = { dtype: "F64", shape, data_offsets: [0, values.byteLength] };
  await writeFile(path, withHeader({ __metadata__: metadata, [name]: tensor }, Buffer.from(values.buffer)));
}

/** A safetensors file of any header and any data. */
export function withHeader(header: object, data: Buffer): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

interface Tensor {
  dtype: string;
  shape: number[];
  data: Buffer;
}

/** Reads all tensors of a file. */
export async function readTensors(path: string): Promise<Record<string, Tensor>> {
  const file = await readFile(path);
  const start = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.subarray(8, start).toString()) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const { __metadata__: _, ...tensors } = header;
  return Object.fromEntries(
    Object.entries(tensors).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [begin, end],
        },
      ]) => [name, { dtype, shape, data: file.subarray(start + begin, start + end) }],
    ),
  );
}
