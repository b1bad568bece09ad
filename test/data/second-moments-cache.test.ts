import { copyFile, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CachedMomentsOptions, cachedSecondMoments } from "../../src/data/second-moments-files.js";
import { listSecondMoments, pruneSecondMoments, verifySecondMoments } from "../../src/data/second-moments-listing.js";
import type { SecondMoments } from "../../src/edit/second-moments.js";
import { addon, call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { tinyModel } from "../support/model.js";
import { officialPath } from "../support/official.js";
import { product, transposed } from "../support/plain.js";
import { temporaryDirectory } from "../support/temporary.js";

// Five forward passes.
const texts = Array<string>(3).fill(officialPath("tiny-llama", "statistics", "texts.json"));
const width = 160;

const cache = process.env.LYAPLOCK_CACHE;
beforeEach(async () => {
  process.env.LYAPLOCK_CACHE = await temporaryDirectory();
});
afterEach(() => {
  if (cache === undefined) delete process.env.LYAPLOCK_CACHE;
  else process.env.LYAPLOCK_CACHE = cache;
});

const folder = () => path.join(process.env.LYAPLOCK_CACHE!, "second-moments");
const names = async () => (await readdir(folder())).map((name) => name.replace(/^[0-9a-f]{64}/, "")).sort();
const fileOf = async (ending: string) =>
  path.join(folder(), (await readdir(folder())).find((name) => name.endsWith(ending))!);

async function flipLastByte(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes[bytes.length - 3]! ^= 1;
  await writeFile(file, bytes);
}

async function valuesOf(moments: SecondMoments, layer: number): Promise<Float64Array> {
  return call(() => moments.get(layer).covariance.toFloat64Array());
}

/** Collects, and tells what happened. */
async function setup() {
  const model = await tinyModel("tiny-llama");
  const run = async (options: Partial<CachedMomentsOptions> = {}) => {
    const told = { tokens: 0, batches: 0, expected: 0, resumedAt: 0, waited: 0, damaged: [] as string[] };
    const moments = await cachedSecondMoments(model, texts, {
      layers: [2, 3],
      onBegin: ({ tokens }) => {
        told.expected = tokens;
      },
      onProgress: ({ tokens }) => {
        told.tokens = tokens;
        told.batches++;
      },
      onResumed: ({ tokens }) => {
        told.resumedAt = tokens;
      },
      onWait: () => {
        told.waited++;
      },
      onDamaged: ({ path: file, reason }) => told.damaged.push(`${path.basename(file)}: ${reason}`),
      ...options,
    });
    return { moments, ...told };
  };
  /** Stops after some forward passes. */
  const interrupted = async (batches: number, options: Partial<CachedMomentsOptions> = {}) => {
    const controller = new AbortController();
    let left = batches;
    const onProgress = () => {
      if (--left === 0) setImmediate(() => controller.abort());
    };
    const work = run({ keepEverySeconds: 0, onProgress, signal: controller.signal, ...options });
    await expectRejection(work, "ERR_ABORTED");
  };
  return { model, run, interrupted };
}

describe("the key of an entry", () => {
  it("tells apart how texts were used, and records it", async () => {
    const { run } = await setup();
    const counts: number[] = [];
    for (const options of [{}, { maxLength: 5 }, { tokens: 1000 }, { precision: "float32" as const }]) {
      const { moments, tokens, expected } = await run({ layers: [2], ...options });
      expect(tokens).toBe(expected);
      expect(moments.get(2).count).toBe(tokens);
      counts.push(tokens);
      expect(await run({ layers: [2], ...options })).toMatchObject({ tokens: 0 });
    }
    const [all, short, few, narrow] = counts;
    expect(short).toBeLessThan(all!);
    expect([few, narrow]).toEqual([1000, all]);
    const listed = await listSecondMoments();
    expect(listed.map(({ maxLength, tokens, precision }) => [maxLength, tokens, precision]).sort()).toEqual(
      [
        [256, all, "float64"],
        [5, short, "float64"],
        [256, few, "float64"],
        [256, narrow, "float32"],
      ].sort(),
    );
  });

  it("tells a model that was edited in memory from the one that was loaded", async () => {
    const { model, run } = await setup();
    const first = await run();
    const drift = addon().createMatrix(
      new Float64Array(model.config.width * width).fill(0.01),
      model.config.width,
      width,
    );
    await call(() => model.native.setDrift(2, drift));
    const edited = await run();
    expect(edited.tokens).toBeGreaterThan(0);
    // What enters the down-projection of the edited layer itself is as it was.
    expect(await valuesOf(edited.moments, 2)).toEqual(await valuesOf(first.moments, 2));
    expect(await valuesOf(edited.moments, 3)).not.toEqual(await valuesOf(first.moments, 3));
    await call(() =>
      model.native.setDrift(2, addon().createMatrix(new Float64Array(drift.rows * width), drift.rows, width)),
    );
    expect(await run()).toMatchObject({ tokens: 0 });
  });

  it("refuses lengths that the model has no positions for", async () => {
    const { run } = await setup();
    await expectRejection(run({ maxLength: 257 }), "ERR_INVALID_ARGUMENT", "1 to 256", "257");
    await expectRejection(run({ tokens: 0 }), "ERR_INVALID_ARGUMENT", "1 or more");
  });
});

describe("the factor of an entry", () => {
  it("is the Cholesky factor of its moment", async () => {
    const { run } = await setup();
    const { moments } = await run({ layers: [2] });
    expect(await names()).toEqual(["-layer-2.factor.safetensors", "-layer-2.json", "-layer-2.safetensors"]);
    const factor = await moments.get(2).factor!();
    const plain = { rows: width, cols: width, values: await call(() => factor.toFloat64Array()) };
    expectWithin(relativeError(product(plain, transposed(plain)).values, await valuesOf(moments, 2)), 1e-14);
  });

  it.each(["read", "verified"])(
    "is set aside when it is %s and damaged, and made again from its moment",
    async (how) => {
      const { run } = await setup();
      await run({ layers: [2] });
      const file = await fileOf(".factor.safetensors");
      const good = await readFile(file);
      await flipLastByte(file);
      if (how === "read") {
        expect(await run({ layers: [2] })).toMatchObject({
          tokens: 0,
          damaged: [expect.stringMatching(/factor.*checksum/)],
        });
      } else {
        expect((await verifySecondMoments()).damaged).toMatchObject([{ path: `${file}.damaged`, layer: 2 }]);
      }
      expect((await readFile(file)).equals(good)).toBe(true);
      expect(await names()).toEqual([
        "-layer-2.factor.safetensors",
        "-layer-2.factor.safetensors.damaged",
        "-layer-2.json",
        "-layer-2.safetensors",
      ]);
      expect(await run({ layers: [2] })).toMatchObject({ tokens: 0, damaged: [] });
    },
  );

  it("is left out where the moment has none", async () => {
    const { run } = await setup();
    const { moments } = await run({ layers: [2], tokens: width - 1 });
    expect(moments.get(2).factor).toBeUndefined();
    expect(await names()).toEqual(["-layer-2.json", "-layer-2.safetensors"]);
  });
});

describe("a collection that was interrupted", () => {
  it.each(["float64", "float32"] as const)("goes on to the bits of one that was not, in %s", async (precision) => {
    const { run, interrupted } = await setup();
    const whole = await run({ precision });
    expect(whole.batches, "the texts are too few for this test").toBeGreaterThan(3);

    process.env.LYAPLOCK_CACHE = await temporaryDirectory();
    await interrupted(2, { precision });
    expect(await listSecondMoments()).toMatchObject([{ state: "unfinished", tokens: expect.any(Number) }]);
    await interrupted(1, { precision });
    const rest = await run({ precision });
    expect(rest.resumedAt).toBeGreaterThan(0);
    expect(rest.batches).toBeLessThan(whole.batches - 1);
    for (const layer of [2, 3]) {
      expect(await valuesOf(rest.moments, layer)).toEqual(await valuesOf(whole.moments, layer));
      expect(rest.moments.get(layer).count).toBe(whole.moments.get(layer).count);
    }
    expect((await names()).filter((name) => !name.startsWith("-layer"))).toEqual([]);
  });

  it("begins anew, and says so, when what was kept is damaged", async () => {
    const { run, interrupted } = await setup();
    const whole = await run();
    process.env.LYAPLOCK_CACHE = await temporaryDirectory();
    await interrupted(2);
    const unfinished = await fileOf(".unfinished");
    const [sum] = (await readdir(unfinished)).filter((name) => name.endsWith("layer-3.safetensors"));
    await flipLastByte(path.join(unfinished, sum!));
    const again = await run();
    expect(again).toMatchObject({ resumedAt: 0, batches: whole.batches, tokens: whole.tokens });
    expect(again.damaged).toEqual([expect.stringMatching(/unfinished: .*checksum/)]);
    expect(await valuesOf(again.moments, 3)).toEqual(await valuesOf(whole.moments, 3));
  });

  it("keeps nothing while it is young", async () => {
    const { interrupted } = await setup();
    await interrupted(2, { keepEverySeconds: 60 });
    expect(await names()).toEqual([]);
  });
});

describe("two that want the same", () => {
  it("collect once: the other waits and reads", async () => {
    const { run } = await setup();
    const both = await Promise.all([run(), run()]);
    expect(both.map(({ batches }) => batches > 0).sort()).toEqual([false, true]);
    expect(both.map(({ waited }) => waited).sort()).toEqual([0, 1]);
    expect(await valuesOf(both[0].moments, 3)).toEqual(await valuesOf(both[1].moments, 3));
    expect(await verifySecondMoments()).toMatchObject({ damaged: [] });
  });
});

describe("the list of entries", () => {
  it("is empty where nothing was kept", async () => {
    expect(await listSecondMoments()).toEqual([]);
    expect(await pruneSecondMoments()).toEqual([]);
    expect(await verifySecondMoments()).toEqual({ entries: [], damaged: [] });
  });

  it("tells whole ones from cut, unfinished and leftover ones; pruning leaves the whole ones", async () => {
    const { run, interrupted } = await setup();
    await run();
    await interrupted(1, { precision: "float32" });
    await truncate(await fileOf("layer-3.safetensors"), 1000);
    const other = "0".repeat(64);
    await writeFile(path.join(folder(), `${other}.json`), "{}"); // as version 1 named them
    await copyFile(await fileOf("layer-2.safetensors"), path.join(folder(), `${other}-layer-7.safetensors`));
    await writeFile(path.join(folder(), "notes.txt"), "not ours");

    const listed = await listSecondMoments();
    expect(listed.map(({ state, layer }) => `${state} ${layer}`).sort()).toEqual([
      "damaged 3",
      "leftover undefined",
      "leftover undefined",
      "unfinished undefined",
      "whole 2",
    ]);
    expect(listed.find(({ state }) => state === "whole")).toMatchObject({
      model: "model",
      layer: 2,
      precision: "float64",
      maxLength: 256,
      created: expect.stringMatching(/^20/),
    });
    expect(listed.find(({ state }) => state === "damaged")!.reason).toContain("1000 bytes");

    const removed = await pruneSecondMoments();
    expect(removed).toHaveLength(4);
    expect(await names()).toEqual([
      "-layer-2.factor.safetensors",
      "-layer-2.json",
      "-layer-2.safetensors",
      "notes.txt",
    ]);
    expect((await run({ layers: [2] })).tokens).toBe(0);
  });

  it("sees a flipped bit when it verifies, and sets the entry aside", async () => {
    const { run } = await setup();
    await run();
    await flipLastByte(await fileOf("layer-3.safetensors"));
    expect(await listSecondMoments()).toMatchObject([{ state: "whole" }, { state: "whole" }]);
    const { entries, damaged } = await verifySecondMoments();
    expect(damaged).toMatchObject([{ layer: 3, state: "damaged", reason: expect.stringContaining("checksum") }]);
    expect(entries.filter(({ state }) => state === "whole")).toMatchObject([{ layer: 2 }]);
    expect(await readFile(damaged[0]!.path)).toHaveLength((await readFile(await fileOf("layer-2.safetensors"))).length);
    expect(await verifySecondMoments()).toMatchObject({ damaged: [] });
  });

  it("is not touched where a process is at work", async () => {
    const { run } = await setup();
    await run({ layers: [2] });
    await flipLastByte(await fileOf("layer-2.safetensors"));
    let seen: unknown[] = [];
    const onBegin = async () => {
      seen = [await pruneSecondMoments(), (await verifySecondMoments()).damaged];
    };
    await run({ layers: [3], onBegin });
    expect(seen).toEqual([[], []]);
  });
});
