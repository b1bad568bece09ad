import { LyaplockError } from "../../errors.js";
import { addon, call } from "../../native/index.js";

interface Kinds {
  text: string;
  number: number;
  flag: boolean;
  texts: string[];
  numbers: number[];
}

const isText = (value: unknown) => typeof value === "string";
const isNumber = (value: unknown) => typeof value === "number";
const listOf = (is: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(is);

const KINDS: { [Kind in keyof Kinds]: { is: (value: unknown) => boolean; words: string } } = {
  text: { is: isText, words: "a text" },
  number: { is: isNumber, words: "one number" },
  flag: { is: (value) => typeof value === "boolean", words: "true or false" },
  texts: { is: listOf(isText), words: "a list of texts" },
  numbers: { is: listOf(isNumber), words: "a list of numbers" },
};

/** What stands before the tensors of a GGUF file: metadata by key, and the shapes of the tensors. */
export class GgufHeader {
  private constructor(
    readonly path: string,
    private readonly metadata: ReadonlyMap<string, unknown>,
    private readonly tensors: ReadonlyMap<string, number[]>,
  ) {}

  /** @throws ERR_FILE, ERR_MODEL_FORMAT */
  static async read(path: string): Promise<GgufHeader> {
    const json = await call(() => addon().readGgufHeader(path));
    const { metadata, tensors } = JSON.parse(json) as {
      metadata: Record<string, unknown>;
      tensors: Record<string, { shape: number[] }>;
    };
    const shapes = Object.entries(tensors).map(([name, { shape }]) => [name, shape] as const);
    return new GgufHeader(path, new Map(Object.entries(metadata)), new Map(shapes));
  }

  /** The shape of a tensor, the contiguous dimension last; undefined where there is none of that name. */
  shape(name: string): number[] | undefined {
    return this.tensors.get(name);
  }

  /** The numbers of a tensor. @throws ERR_MODEL_FORMAT where there is none of that name */
  async vector(name: string): Promise<Float32Array> {
    const matrix = await call(() => addon().readGgufTensor(this.path, name));
    try {
      return await call(() => matrix.toFloat32Array());
    } finally {
      matrix.dispose();
    }
  }

  /** A value of the metadata; undefined where there is none. @throws ERR_MODEL_FORMAT for one of another kind */
  find<Kind extends keyof Kinds>(kind: Kind, key: string): Kinds[Kind] | undefined {
    const value = this.metadata.get(key);
    if (value === undefined) return undefined;
    if (KINDS[kind].is(value)) return value as Kinds[Kind];
    throw this.error(`"${key}" must be ${KINDS[kind].words}`);
  }

  /** The same for a value that must be there. @throws ERR_MODEL_FORMAT */
  get<Kind extends keyof Kinds>(kind: Kind, key: string): Kinds[Kind] {
    const value = this.find(kind, key);
    if (value === undefined) throw this.error(`there is no "${key}" in its metadata`);
    return value;
  }

  error(what: string, code: "ERR_MODEL_FORMAT" | "ERR_TOKENIZER" | "ERR_UNSUPPORTED" = "ERR_MODEL_FORMAT") {
    return new LyaplockError(code, `${this.path}: ${what}`);
  }
}
