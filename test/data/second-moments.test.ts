import { copyFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cachedSecondMoments, readSecondMoments, writeSecondMoments } from "../../src/data/second-moments-files.js";
import { SecondMoments } from "../../src/edit/second-moments.js";
import { addon, call } from "../../src/native/index.js";
import { expectRejection } from "../support/errors.js";
import { temporaryFile } from "../support/json-files.js";
import { tinyModel } from "../support/model.js";
import { officialPath } from "../support/official.js";
import { temporaryDirectory } from "../support/temporary.js";

function momentsOf(values: number[], size: number, count = 5): SecondMoments {
  const covariance = addon().createMatrix(Float64Array.from(values), size, size);
  return SecondMoments.fromMatrices(new Map([[1, { covariance, count }]]));
}

async function valuesOf(moments: SecondMoments, layer: number): Promise<Float64Array> {
  return call(() => moments.get(layer).covariance.toFloat64Array());
}

describe("second moments in files", () => {
  it("are read as the reference wrote them", async () => {
    const moments = await readSecondMoments(officialPath("tiny-llama", "statistics"), [2, 4], 160);
    expect(moments.layers).toEqual([2, 4]);
    const file = await readFile(officialPath("tiny-llama", "statistics/layer-4.safetensors"));
    const start = 8 + Number(file.readBigUInt64LE());
    const values = await valuesOf(moments, 4);
    expect(values).toHaveLength(160 * 160);
    expect(values[0]).toBe(file.readDoubleLE(start));
    expect(values[160 * 160 - 1]).toBe(file.readDoubleLE(start + 8 * (160 * 160 - 1)));
    const header = JSON.parse(file.subarray(8, start).toString()) as { __metadata__: { count: string } };
    expect(moments.get(4).count).toBe(Number(header.__metadata__.count));
  });

  it("come back as they were written", async () => {
    const directory = path.join(await temporaryDirectory(), "new", "moments");
    await writeSecondMoments(directory, momentsOf([1 / 3, 2, 2, 5], 2, 77), { model: "m" });
    const back = await readSecondMoments(directory, [1], 2);
    expect([...(await valuesOf(back, 1))]).toEqual([1 / 3, 2, 2, 5]);
    expect(back.get(1).count).toBe(77);
  });

  it("are refused when they are of another width", async () => {
    const directory = officialPath("tiny-llama", "statistics");
    await expectRejection(readSecondMoments(directory, [2], 256), "ERR_SHAPE", "layer-2", "[160, 160]", "[256, 256]");
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("are refused when they hold %d", async (bad) => {
    const directory = await temporaryDirectory();
    await writeSecondMoments(directory, momentsOf([1, 2, bad, 5], 2));
    await expectRejection(readSecondMoments(directory, [1], 2), "ERR_NOT_FINITE", "layer-1", String(bad), "[1, 0]");
  });

  it("are refused without a tensor or a count of that name", async () => {
    const directory = await temporaryDirectory();
    const file = path.join(directory, "layer-1.safetensors");
    const tensor = addon().createMatrix(new Float64Array(4), 2, 2);
    await call(() => addon().writeTensors(file, { covariance: tensor }, { count: "3" }));
    await expectRejection(readSecondMoments(directory, [1], 2), "ERR_MODEL_FORMAT", file, "second_moment");
    for (const count of ["0", "-1", "many"]) {
      await call(() => addon().writeTensors(file, { second_moment: tensor }, { count }));
      await expectRejection(readSecondMoments(directory, [1], 2), "ERR_MODEL_FORMAT", file, `"${count}"`);
    }
  });

  it("are refused when a layer is missing", async () => {
    await expectRejection(
      readSecondMoments(officialPath("tiny-llama", "statistics"), [2, 5], 160),
      "ERR_FILE",
      "layer-5",
    );
  });
});

describe("cached second moments", () => {
  let cache: string | undefined;
  beforeEach(() => {
    cache = process.env.LYAPLOCK_CACHE;
  });
  afterEach(() => {
    if (cache === undefined) delete process.env.LYAPLOCK_CACHE;
    else process.env.LYAPLOCK_CACHE = cache;
  });

  /** A cache of its own and some texts; `collected` counts the layers that were not found in the cache. */
  async function setup() {
    process.env.LYAPLOCK_CACHE = await temporaryDirectory();
    const model = await tinyModel("tiny-llama");
    const texts = await temporaryFile("texts.txt", "The sky is grey.\nRome is in Italy.\nI like to read.");
    const run = async (layers: number[], files = [texts]) => {
      const events = { tokens: 0, damaged: [] as string[] };
      const moments = await cachedSecondMoments(model, files, {
        layers,
        onProgress: ({ tokens }) => {
          events.tokens = tokens;
        },
        onDamaged: ({ reason, movedTo }) => events.damaged.push(`${reason} ${movedTo}`),
      });
      return { moments, ...events };
    };
    const entries = async (ending: string) => {
      const folder = path.join(process.env.LYAPLOCK_CACHE!, "second-moments");
      return (await readdir(folder)).filter((name) => name.endsWith(ending)).map((name) => path.join(folder, name));
    };
    return { run, entries };
  }

  it("are collected once", async () => {
    const { run, entries } = await setup();
    const first = await run([2, 3]);
    expect(first.tokens).toBeGreaterThan(10);
    const second = await run([2, 3]);
    expect(second.tokens).toBe(0);
    expect(await valuesOf(second.moments, 3)).toEqual(await valuesOf(first.moments, 3));
    expect(second.moments.get(3).count).toBe(first.moments.get(3).count);
    expect(await entries(".safetensors")).toHaveLength(2);
  });

  it("are collected for the layers that are not there, and for other texts", async () => {
    const { run, entries } = await setup();
    await run([2]);
    const both = await run([2, 3]);
    expect(both.moments.layers).toEqual([2, 3]);
    expect(both.tokens).toBeGreaterThan(0);
    expect(await entries(".safetensors")).toHaveLength(2);
    const other = await temporaryFile("texts.txt", "Other words.");
    expect((await run([2], [other])).tokens).toBeGreaterThan(0);
    expect(await entries(".safetensors")).toHaveLength(3);
  });

  it("are set aside, reported and made again when the file is damaged", async () => {
    const { run, entries } = await setup();
    const good = await run([2]);
    const [file] = await entries(".safetensors");
    const bytes = await readFile(file!);
    bytes[bytes.length - 5]! ^= 1;
    await writeFile(file!, bytes);
    const again = await run([2]);
    expect(again.damaged).toEqual([expect.stringMatching(/checksum.*\.damaged$/)]);
    expect(again.tokens).toBeGreaterThan(0);
    expect(await valuesOf(again.moments, 2)).toEqual(await valuesOf(good.moments, 2));
    expect(await entries(".damaged")).toHaveLength(1);
    expect((await run([2])).tokens).toBe(0);
  });

  it("are made again when their entry is broken or was never finished", async () => {
    const { run, entries } = await setup();
    await run([2]);
    const [entry] = await entries(".json");
    await writeFile(entry!, "{");
    expect((await run([2])).damaged).toHaveLength(1);
    const [tensorFile] = await entries(".safetensors");
    await copyFile(tensorFile!, `${tensorFile}.copy`);
    await rm((await entries(".json"))[0]!);
    const again = await run([2]);
    expect(again.damaged).toEqual([]);
    expect(again.tokens).toBeGreaterThan(0);
    expect((await run([2])).tokens).toBe(0);
  });
});
