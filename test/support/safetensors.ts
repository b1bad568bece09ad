import { readFileSync } from "node:fs";

/** A tensor of a fixture. F32 numbers are exact in float64. */
export interface Tensor {
  shape: number[];
  values: Float64Array;
}

/** A safetensors file of F32 and F64 tensors, read without any of our own code: fixtures are to be independent of it. */
export function readSafetensors(file: string): { tensors: Record<string, Tensor>; metadata: Record<string, string> } {
  const bytes = readFileSync(file);
  const start = 8 + Number(bytes.readBigUInt64LE());
  type Entry = { dtype: string; shape: number[]; data_offsets: [number, number] };
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(bytes.subarray(8, start).toString()) as {
    __metadata__?: Record<string, string>;
  };
  const tensors = Object.entries(entries as unknown as Record<string, Entry>).map(
    ([name, { dtype, shape, data_offsets }]) => {
      const content = bytes.subarray(start + data_offsets[0], start + data_offsets[1]);
      return [name, { shape, values: numbers(dtype, content) }] as const;
    },
  );
  return { tensors: Object.fromEntries(tensors), metadata };
}

function numbers(dtype: string, content: Buffer): Float64Array {
  const aligned = Uint8Array.from(content).buffer;
  if (dtype === "F64") return new Float64Array(aligned);
  if (dtype === "F32") return Float64Array.from(new Float32Array(aligned));
  throw new Error(`a fixture has the type ${dtype}`);
}

/** The bytes of a safetensors file of F32 tensors, written without any of our own code. */
export function safetensorsBytes(tensors: Record<string, Tensor>): Buffer {
  let end = 0;
  const entries = Object.entries(tensors).map(([name, { shape, values }]) => {
    const begin = end;
    end += 4 * values.length;
    return [name, { dtype: "F32", shape, data_offsets: [begin, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const data = Object.values(tensors).map(({ values }) => Buffer.from(Float32Array.from(values).buffer));
  return Buffer.concat([length, header, ...data]);
}
