import { cp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { glueHash, readGlue } from "../../src/data/glue.js";
import { expectRejection } from "../support/errors.js";
import { glueDirectory } from "../support/glue.js";
import { makeTemporaryDirectory } from "../support/temporary.js";

const directory = await makeTemporaryDirectory();

/** A directory of good files, one of which has other items. */
async function withItems(file: string, items: unknown): Promise<string> {
  const place = path.join(directory, file);
  await cp(glueDirectory, place, { recursive: true });
  await writeFile(path.join(place, file), typeof items === "string" ? items : JSON.stringify(items));
  return place;
}

const many = (count: number) => Array.from({ length: count }, (_, i) => ({ sentence: `sentence ${i}`, label: i % 2 }));

describe("files of GLUE", () => {
  it("give the items after the first ten as tests", async () => {
    const tests = await readGlue(glueDirectory);
    expect(Object.keys(tests)).toEqual(["sst", "mrpc", "cola", "rte", "nli", "mmlu"]);
    expect(Object.values(tests).map(({ length }) => length)).toEqual([4, 4, 4, 4, 4, 4]);
    expect(tests.sst[0]).toEqual({ index: 10, item: { sentence: "a lovely view ", label: 1 } });
    expect(tests.nli[1]!.item.label).toBe("entailment");
    expect(tests.mmlu[3]!.item.choices).toHaveLength(4);
  });

  it("give a hundred tests at most, and what comes later is not looked at", async () => {
    const items = [...many(110), { sentence: 3 }];
    const { sst } = await readGlue(await withItems("sst2.json", items));
    expect(sst.map(({ index }) => index)).toEqual(Array.from({ length: 100 }, (_, i) => i + 10));
  });

  it.each([
    ["cola.json", [...many(11), { sentence: "a", label: 2 }], ["cola.json: item 11", '"label"']],
    ["sst2.json", [{ label: 1 }], ["sst2.json: item 0", '"sentence"']],
    ["mmlu.json", [{ question: "?", choices: ["a", "b", "c"], answer: 0 }], ["mmlu.json: item 0", '"choices']],
    ["mmlu.json", [{ question: "?", choices: ["a", "b", "c", "d"], answer: 4 }], ["mmlu.json: item 0", '"answer"']],
    ["nli.json", [{ sentence1: "a", sentence2: "b", label: 1 }], ["nli.json: item 0", '"label"']],
    ["rte.json", [null], ["rte.json: item 0", "object"]],
    ["mrpc.json", {}, ["mrpc.json", "not an array"]],
    ["rte.json", '[{"sentence1": "a"', ["rte.json", "ends before"]],
    ["sst2.json", many(10), ["sst2.json has 10 items"]],
  ])("say where they are wrong (%s, %#)", async (file, items, parts) => {
    await expectRejection(readGlue(await withItems(file, items)), "ERR_DATASET_FORMAT", ...parts);
    await rm(path.join(directory, file), { recursive: true });
  });

  it("must all be there", async () => {
    const place = await withItems("nli.json", []);
    await rm(path.join(place, "nli.json"));
    await expectRejection(readGlue(place), "ERR_FILE", "nli.json");
    await expectRejection(glueHash(place), "ERR_FILE", "nli.json");
  });

  it("have a hash that every one of them changes", async () => {
    const place = await withItems("mmlu.json", "[]");
    expect(await glueHash(place)).not.toBe(await glueHash(glueDirectory));
  });
});
