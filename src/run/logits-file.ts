import { writeWhole } from "../base/write-whole.js";

/**
 * Writes logits as safetensors for other programs to read: `tokens` [tokens] I32 and `logits` [rows, vocabulary] F32, the
 * rows being those of the last tokens. Native code writes matrices alone, so this small file is put together here.
 */
export async function writeLogits(
  path: string,
  tokens: readonly number[],
  logits: Float32Array,
  rows: number,
): Promise<void> {
  const ids = Int32Array.from(tokens);
  const header = headerOf({
    tokens: { dtype: "I32", shape: [ids.length], data_offsets: [0, ids.byteLength] },
    logits: {
      dtype: "F32",
      shape: [rows, logits.length / rows],
      data_offsets: [ids.byteLength, ids.byteLength + logits.byteLength],
    },
  });
  await writeWhole(path, Buffer.concat([header, bytesOf(ids), bytesOf(logits)]));
}

/** Length (u64, little-endian) and JSON, padded with spaces so that the data begins at a multiple of 8. */
function headerOf(tensors: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>): Buffer {
  const json = JSON.stringify(tensors);
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text]);
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array | Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
