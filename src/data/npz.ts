import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { fileError } from "../base/file-error.js";
import { LyaplockError } from "../errors.js";

/** Of an array in an .npz file. Numbers are little-endian; rows come one after the other unless `columnsFirst`. */
export interface NpyHeader {
  /** NumPy's name: "<f4", "<i8", "<U33". */
  type: string;
  columnsFirst: boolean;
  shape: number[];
}

/** NumPy writes 128 bytes; a structured type may need some more, and we read none. */
const LONGEST_HEADER = 4096;

/**
 * An .npz file of NumPy: a zip of .npy files, stored or deflated. Arrays are read as streams; sizes are checked before they
 * are believed, checksums when the end has been read.
 */
export class NpzFile {
  private readonly streams = new Set<Readable>();

  private constructor(
    private readonly path: string,
    private readonly zip: ZipFile,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  /** @throws ERR_FILE, ERR_MODEL_FORMAT when it is not a zip file */
  static async open(path: string): Promise<NpzFile> {
    let zip: ZipFile;
    try {
      zip = await openPromise(path, { lazyEntries: true, autoClose: false });
    } catch (error) {
      throw unreadable(path, error);
    }
    const entries = new Map<string, Entry>();
    try {
      for await (const entry of zip.eachEntry()) {
        if (entry.fileName.endsWith(".npy")) entries.set(entry.fileName.slice(0, -".npy".length), entry);
      }
      return new NpzFile(path, zip, entries);
    } catch (error) {
      zip.close();
      throw unreadable(path, error);
    }
  }

  /** Arrays that were not read to their end can be read no further. */
  close(): void {
    for (const stream of this.streams) stream.destroy();
    this.zip.close();
  }

  get names(): string[] {
    return [...this.entries.keys()];
  }

  /**
   * An array: what it is, and its bytes.
   *
   * @throws ERR_MODEL_FORMAT, here or while the bytes are read, when it is not there or does not hold together
   */
  async array(name: string): Promise<{ header: NpyHeader; bytes: AsyncGenerator<Buffer> }> {
    const entry = this.entries.get(name);
    if (entry === undefined) {
      const there = this.names.join(", ") || "nothing";
      throw new LyaplockError("ERR_MODEL_FORMAT", `${this.path} holds no array "${name}"; it holds ${there}`);
    }
    const pieces = this.contentOf(entry);
    let begin: Buffer = Buffer.alloc(0);
    for (;;) {
      const found = parseNpyHeader(begin, `${this.path}: "${name}"`);
      if (found !== undefined) {
        const { header, length } = found;
        this.checkSize(name, header, entry.uncompressedSize - length);
        return { header, bytes: following(begin.subarray(length), pieces) };
      }
      const { done, value } = await pieces.next();
      if (done) throw new LyaplockError("ERR_MODEL_FORMAT", `${this.path}: "${name}" ends inside its header`);
      begin = Buffer.concat([begin, value]);
    }
  }

  /** An array of one whole or real number. @throws ERR_MODEL_FORMAT */
  async number(name: string): Promise<number> {
    const { header, bytes } = await this.array(name);
    const elements = header.shape.reduce((product, size) => product * size, 1);
    const read = READERS[header.type];
    if (elements !== 1 || read === undefined) {
      const what = `${elements} elements of type ${header.type}`;
      throw new LyaplockError("ERR_MODEL_FORMAT", `${this.path}: "${name}" must be one number; it has ${what}`);
    }
    const pieces: Buffer[] = [];
    for await (const piece of bytes) pieces.push(piece);
    return read(Buffer.concat(pieces));
  }

  private checkSize(name: string, { type, shape }: NpyHeader, bytes: number): void {
    const size = SIZES[type];
    if (size === undefined) return; // of no type that is read
    const wanted = shape.reduce((product, length) => product * length, size);
    if (wanted === bytes) return;
    const what = `[${shape.join(", ")}] of ${type} takes ${wanted} bytes, and there are ${bytes}`;
    throw new LyaplockError("ERR_MODEL_FORMAT", `${this.path}: "${name}": ${what}`);
  }

  private async *contentOf(entry: Entry): AsyncGenerator<Buffer> {
    try {
      let sum = 0;
      // Whether as many bytes come as were announced is checked by yauzl, the checksum is not.
      const stream = await this.zip.openReadStreamPromise(entry);
      this.streams.add(stream);
      for await (const piece of stream) {
        sum = crc32(piece as Buffer, sum);
        yield piece as Buffer;
      }
      if (sum !== entry.crc32) throw new Error(`the checksum of ${entry.fileName} is wrong`);
    } catch (error) {
      throw unreadable(this.path, error);
    }
  }
}

const SIZES: Record<string, number> = { "<f4": 4, "<f8": 8, "<i4": 4, "<i8": 8, "<u4": 4, "<u8": 8 };

const READERS: Record<string, (bytes: Buffer) => number> = {
  "<f4": (bytes) => bytes.readFloatLE(),
  "<f8": (bytes) => bytes.readDoubleLE(),
  "<i4": (bytes) => bytes.readInt32LE(),
  "<i8": (bytes) => Number(bytes.readBigInt64LE()),
  "<u4": (bytes) => bytes.readUInt32LE(),
  "<u8": (bytes) => Number(bytes.readBigUInt64LE()),
};

/** Undefined while there are too few bytes to tell. (NumPy, "A simple file format for NumPy arrays", versions 1 to 3.) */
export function parseNpyHeader(bytes: Buffer, what: string): { header: NpyHeader; length: number } | undefined {
  if (bytes.length < 12) return undefined;
  const major = bytes[6]!;
  if (bytes.subarray(0, 6).toString("latin1") !== "\x93NUMPY" || major < 1 || major > 3) {
    throw new LyaplockError("ERR_MODEL_FORMAT", `${what} is not an array of NumPy`);
  }
  const [begin, size] = major === 1 ? [10, bytes.readUInt16LE(8)] : [12, bytes.readUInt32LE(8)];
  if (size > LONGEST_HEADER) throw new LyaplockError("ERR_MODEL_FORMAT", `${what} has a header of ${size} bytes`);
  if (bytes.length < begin + size) return undefined;
  const text = bytes.subarray(begin, begin + size).toString("latin1");
  const found =
    /^\{'descr': '([<>|=]?\w+)', 'fortran_order': (True|False), 'shape': \(((?:\d{1,15}, ?)*(?:\d{1,15})?)\), \} *\n$/.exec(
      text,
    );
  if (found === null) throw new LyaplockError("ERR_MODEL_FORMAT", `${what} has the header ${text.trim()}`);
  const shape = found[3]!.split(",").filter((length) => length.trim() !== "");
  const header = { type: found[1]!, columnsFirst: found[2] === "True", shape: shape.map(Number) };
  return { header, length: begin + size };
}

async function* following(first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first;
  yield* rest;
}

/** What the operating system refuses keeps its own words. */
function unreadable(path: string, error: unknown): LyaplockError {
  if (error instanceof LyaplockError || (error as NodeJS.ErrnoException).syscall !== undefined) {
    return fileError("read", path, error);
  }
  return new LyaplockError("ERR_MODEL_FORMAT", `${path} is not a whole .npz file: ${(error as Error).message}`, {
    cause: error,
  });
}
