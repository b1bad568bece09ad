import { mkdir, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NpzFile } from "../../src/data/npz.js";
import { readPublishedMoment } from "../../src/data/second-moments-npz.js";
import { type ErrorCode, LyaplockError } from "../../src/errors.js";
import { call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { tinyModel } from "../support/model.js";
import { npy, zip } from "../support/npz.js";
import { officialPath } from "../support/official.js";
import { readSafetensors } from "../support/safetensors.js";
import { temporaryDirectory } from "../support/temporary.js";

const width = 160;
const fileName = "model.layers.3.mlp.down_proj_float32_mom2_100.npz";
// Witness: NumPy wrote it (see make.py there).
const published = fileURLToPath(new URL(`../fixtures/published/model/wikipedia_stats/${fileName}`, import.meta.url));

const sum = Float32Array.from({ length: width * width }, (_, i) => {
  const [row, col] = [Math.floor(i / width), i % width];
  return row === col ? 300 : Math.fround(Math.sin(row + col));
});
const good = {
  "mom2.constructor.npy": npy("<U4", [], Buffer.from("m\0\0\0o\0\0\0m\0\0\0" + "2\0\0\0", "latin1")),
  "mom2.count.npy": npy("<i8", [], BigInt64Array.of(1000n)),
  "mom2.mom2.npy": npy("<f4", [width, width], sum),
  "sample_size.npy": npy("<i8", [], BigInt64Array.of(100n)),
};

/** A statistics file where the published code would put it. */
async function place(content: Buffer, name = fileName, of = "model", dataset = "wikipedia_stats"): Promise<string> {
  const directory = path.join(await temporaryDirectory(), of, dataset);
  await mkdir(directory, { recursive: true });
  await writeFile(path.join(directory, name), content);
  return path.join(directory, name);
}

async function reading(file: string, layer?: number) {
  const model = await tinyModel("tiny-llama");
  const scratch = await temporaryDirectory();
  try {
    return await readPublishedMoment(file, model, { layer, scratch });
  } finally {
    expect(await readdir(scratch), "a file was left over").toEqual([]);
  }
}

describe("a published statistics file", () => {
  it("that NumPy wrote is the second moment of the same texts", async () => {
    const { layer, moment, metadata } = await reading(published);
    const witness = readSafetensors(officialPath("tiny-llama", "statistics/layer-3.safetensors"));
    expect(layer).toBe(3);
    expect(moment.count).toBe(Number(witness.metadata.count));
    expect(metadata).toEqual({ source: fileName, precision: "float32", documents: "100" });
    const values = await call(() => moment.covariance.toFloat64Array());
    expectWithin(relativeError(values, witness.tensors.second_moment!.values), 1e-7); // the sum was rounded to float32
  });

  it.each([
    ["deflated", { deflate: true }, good],
    ["in float64", {}, { ...good, "mom2.mom2.npy": npy("<f8", [width, width], Float64Array.from(sum)) }],
    ["without sample_size", {}, { ...good, "sample_size.npy": Buffer.alloc(0), "unused.txt": Buffer.from("x") }],
    [
      "in Fortran's order",
      {},
      {
        ...good,
        "mom2.mom2.npy": npy("", [], sum, `{'descr': '<f4', 'fortran_order': True, 'shape': (${width}, ${width}), }`),
      },
    ],
    ["with a real count", {}, { ...good, "mom2.count.npy": npy("<f8", [1], Float64Array.of(1000)) }],
  ])("is read %s", async (what, options, files: Record<string, Buffer>) => {
    const given = { ...files };
    if (what === "without sample_size") delete given["sample_size.npy"];
    const { moment } = await reading(await place(zip(given, options)));
    expect(moment.count).toBe(1000);
    const values = await call(() => moment.covariance.toFloat64Array());
    expectWithin(
      relativeError(
        values,
        Float64Array.from(sum, (x) => x / 1000),
      ),
      1e-15,
    );
  });

  it("of another name is read where the layer is given", async () => {
    expect(await reading(await place(zip(good), "mine.npz", "any", "directory"), 2)).toMatchObject({ layer: 2 });
    const unnamed = await place(zip(good), "mine.npz", "any", "directory");
    await expectRejection(reading(unnamed), "ERR_INVALID_ARGUMENT", "mine.npz", "--layers");
  });

  const count = (value: bigint) => ({ ...good, "mom2.count.npy": npy("<i8", [], BigInt64Array.of(value)) });
  const moment = (content: Buffer) => ({ ...good, "mom2.mom2.npy": content });
  const crooked = sum.slice();
  crooked[1] = 200;
  it.each<[string, Record<string, Buffer>, ErrorCode, string[]]>([
    ["no count", { "mom2.mom2.npy": good["mom2.mom2.npy"] }, "ERR_MODEL_FORMAT", ["mom2.count", "mom2.mom2"]],
    ["a count of 0", count(0n), "ERR_MODEL_FORMAT", ["count 0"]],
    ["a negative count", count(-5n), "ERR_MODEL_FORMAT", ["count -5"]],
    ["fewer tokens than its width", count(159n), "ERR_MODEL_FORMAT", ["159 tokens", "width 160"]],
    [
      "a count that is no number",
      { ...good, "mom2.count.npy": npy("<f8", [], Float64Array.of(Number.NaN)) },
      "ERR_MODEL_FORMAT",
      ["count NaN"],
    ],
    [
      "another sample_size than its name",
      { ...good, "sample_size.npy": npy("<i8", [], BigInt64Array.of(7n)) },
      "ERR_INVALID_ARGUMENT",
      ["100 documents", "sample_size 7"],
    ],
    ["another width", moment(npy("<f4", [100, 256], sum)), "ERR_SHAPE", ["[100, 256]", "[160, 160]", "another model"]],
    ["half precision", moment(npy("<f2", [160, 160], sum)), "ERR_MODEL_FORMAT", ["<f2"]],
    ["the other byte order", moment(npy(">f4", [160, 160], sum)), "ERR_MODEL_FORMAT", [">f4"]],
    ["fewer bytes than its shape", moment(npy("<f4", [160, 160], sum.subarray(1))), "ERR_MODEL_FORMAT", ["102396"]],
    ["a shape beyond all bounds", moment(npy("<f4", [1e14, 1e14], sum)), "ERR_MODEL_FORMAT", ["mom2.mom2"]],
    [
      "a header that is code",
      moment(npy("", [], sum, "{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,), }")),
      "ERR_MODEL_FORMAT",
      ["header"],
    ],
    ["something that is not an array", moment(Buffer.from("mom2 of the model")), "ERR_MODEL_FORMAT", ["not an array"]],
    ["a sum that is not symmetric", moment(npy("<f4", [160, 160], crooked)), "ERR_NOT_SYMMETRIC", ["symmetric"]],
    [
      "a sum with NaN",
      moment(
        npy(
          "<f4",
          [160, 160],
          sum.map((x, i) => (i === 161 ? Number.NaN : x)),
        ),
      ),
      "ERR_NOT_FINITE",
      [fileName],
    ],
  ])("is refused with %s", async (_, files, code, parts) => {
    await expectRejection(reading(await place(zip(files))), code, fileName, ...parts);
  });

  it("is refused when its path is of another model, module or layer", async () => {
    const at = (name: string, of = "model") => place(zip(good), name, of);
    await expectRejection(reading(await at(fileName, "gpt2-xl")), "ERR_INVALID_ARGUMENT", "gpt2-xl", "model");
    const gpt2 = "transformer.h.3.mlp.c_proj_float32_mom2_100.npz";
    await expectRejection(reading(await at(gpt2)), "ERR_INVALID_ARGUMENT", "transformer.h.3.mlp.c_proj", "llama");
    await expectRejection(reading(await at(fileName.replace("3", "30"))), "ERR_INVALID_ARGUMENT", "layer 30");
    await expectRejection(reading(await at(fileName), 2), "ERR_INVALID_ARGUMENT", "layer 3", "layer 2");
    expect(await reading(await at(fileName, "someone_the-model"))).toMatchObject({ layer: 3 });
  });

  it("that is cut or changed anywhere is refused, or read as it was", async () => {
    const whole = zip(good, { deflate: true });
    const model = await tinyModel("tiny-llama");
    const scratch = await temporaryDirectory();
    const values = async (file: string) => {
      const { moment } = await readPublishedMoment(file, model, { scratch });
      return call(() => moment.covariance.toFloat64Array());
    };
    const expected = await values(await place(whole));
    const file = await place(whole);
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: whole.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, flip, cut) => {
          const changed = Buffer.from(whole);
          changed[at]! ^= flip;
          await writeFile(file, cut ? whole.subarray(0, at) : changed);
          const found = await values(file).catch((error: unknown) => error);
          if (found instanceof Float64Array) expect(found).toEqual(expected);
          else expect(found).toBeInstanceOf(LyaplockError);
        },
      ),
      { numRuns: 60 },
    );
    expect(await readdir(scratch)).toEqual([]);
  });

  it("stops when its signal fires, and leaves nothing", async () => {
    const model = await tinyModel("tiny-llama");
    const scratch = await temporaryDirectory();
    const work = readPublishedMoment(published, model, { scratch, signal: AbortSignal.abort() });
    await expectRejection(work, "ERR_ABORTED");
    expect(await readdir(scratch)).toEqual([]);
  });
});

describe("an npz file", () => {
  it("is refused when it is not there, or no zip", async () => {
    await expectRejection(NpzFile.open("/nowhere/at.npz"), "ERR_FILE", "/nowhere/at.npz");
    await expectRejection(NpzFile.open(await place(Buffer.from("PK no"))), "ERR_MODEL_FORMAT", fileName);
  });
});
