import { crc32, deflateRawSync } from "node:zlib";

/** An array as NumPy writes it in an .npy file; `header` replaces the dictionary. */
export function npy(type: string, shape: number[], data: NodeJS.ArrayBufferView, header?: string): Buffer {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const dictionary = header ?? `{'descr': '${type}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const padded = `${dictionary.padEnd(128 - 11)}\n`;
  const size = Buffer.alloc(2);
  size.writeUInt16LE(padded.length);
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), size, Buffer.from(padded, "latin1"), bytes]);
}

/** A zip file of some files, stored or deflated; PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16. */
export function zip(files: Record<string, Buffer>, { deflate = false }: { deflate?: boolean } = {}): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const packed = deflate ? deflateRawSync(content) : content;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0); // version needed
    common.writeUInt16LE(deflate ? 8 : 0, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const entry = Buffer.concat([signature("PK\x03\x04"), common, Buffer.from(name), packed]);
    const attributes = Buffer.alloc(14);
    attributes.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([signature("PK\x01\x02\x14\x00"), common, attributes, Buffer.from(name)]));
    local.push(entry);
    offset += entry.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(central.length, 4);
  end.writeUInt16LE(central.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...local, directory, signature("PK\x05\x06"), end]);
}

const signature = (text: string) => Buffer.from(text, "latin1");
