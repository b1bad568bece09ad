import { cp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect } from "vitest";
import { type Family, officialJson, officialPath } from "./official.js";
import { temporaryDirectory } from "./temporary.js";

type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

/** The nearest bfloat16 by its definition: of the two neighbours the closer, or the even one. */
export function bfloat16(value: number): number {
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, value);
  const [below, above] = [bits.getUint16(0), bits.getUint16(0) + 1];
  const numberOf = (half: number) => {
    bits.setUint32(0, half * 2 ** 16);
    return bits.getFloat32(0);
  };
  const [toBelow, toAbove] = [Math.abs(value - numberOf(below)), Math.abs(numberOf(above) - value)];
  if (toBelow === toAbove) return below % 2 === 0 ? below : above;
  return toBelow < toAbove ? below : above;
}

/** The fixture's checkpoint in bfloat16, and a config that says so. */
export async function bfloat16Checkpoint(family: Family): Promise<string> {
  const directory = path.join(await temporaryDirectory(), "checkpoint");
  await cp(officialPath(family, "model"), directory, { recursive: true });
  const header: Header = {};
  const parts: Buffer[] = [];
  let offset = 0;
  const file = await readFile(path.join(directory, "model.safetensors"));
  const begin = 8 + Number(file.readBigUInt64LE());
  const { __metadata__: _, ...old } = JSON.parse(file.subarray(8, begin).toString()) as Header;
  for (const [name, tensor] of Object.entries(old)) {
    expect(tensor.dtype).toBe("F32");
    const [from, to] = tensor.data_offsets;
    const data = Buffer.alloc((to - from) / 2);
    for (let i = 0; i < data.length / 2; i++) {
      data.writeUInt16LE(bfloat16(file.readFloatLE(begin + from + 4 * i)), 2 * i);
    }
    header[name] = { dtype: "BF16", shape: tensor.shape, data_offsets: [offset, offset + data.length] };
    offset += data.length;
    parts.push(data);
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await writeFile(path.join(directory, "model.safetensors"), Buffer.concat([length, json, ...parts]));
  const config = officialJson<object>(family, "model/config.json");
  await writeFile(path.join(directory, "config.json"), JSON.stringify({ ...config, dtype: "bfloat16" }));
  return directory;
}
