import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readJsonArray } from "../../src/data/json-array.js";
import { expectRejection } from "../support/errors.js";
import { temporaryFile } from "../support/json-files.js";

async function collect(file: string): Promise<unknown[]> {
  const elements: unknown[] = [];
  for await (const element of readJsonArray(file)) elements.push(element);
  return elements;
}

describe("readJsonArray", () => {
  it("gives what JSON.parse gives, whatever the array", async () => {
    const text = fc.string({ unit: "grapheme", maxLength: 60 });
    const element = fc.oneof(fc.jsonValue(), fc.record({ subject: text, prompts: fc.array(text) }));
    await fc.assert(
      fc.asyncProperty(fc.array(element), fc.constantFrom(undefined, 2), async (array, indent) => {
        const json = JSON.stringify(array, null, indent);
        expect(await collect(await temporaryFile("a.json", json))).toEqual(JSON.parse(json));
      }),
      { seed: 5, numRuns: 60 },
    );
  });

  it("puts characters together that two pieces share", async () => {
    const long = ["日本語😀é".repeat(4000), "x"]; // far longer than a piece, in characters of 2 to 4 bytes
    expect(await collect(await temporaryFile("a.json", long))).toEqual(long);
  });

  it("accepts a byte-order mark and blanks around", async () => {
    expect(await collect(await temporaryFile("a.json", "\uFEFF \n [1, 2] \n"))).toEqual([1, 2]);
  });

  it.each([
    ["an object", '{"a": 1}', "begins with {"],
    ["an empty object", "{}", "begins with {"],
    ["a number", "3", "begins with 3"],
    ["nothing", "", "ends before"],
    ["blanks", " \n", "ends before"],
    ["cut off between records", '[{"a": 1},', "ends before"],
    ["cut off within a string", '[{"a": "b', "ends before"],
    ["followed by more", "[1] [2]", "not JSON"],
    ["with a comma too many", "[1,]", "not JSON"],
    ["with a NaN", "[NaN]", "not JSON"],
  ])("refuses %s", async (_, content, part) => {
    const file = await temporaryFile("a.json", content);
    await expectRejection(collect(file), "ERR_DATASET_FORMAT", file, part);
  });

  it("names a file that is not there", async () => {
    await expectRejection(collect("/nowhere/facts.json"), "ERR_FILE", "/nowhere/facts.json");
  });

  it("stops when its signal fires", async () => {
    const file = await temporaryFile(
      "a.json",
      Array.from({ length: 10_000 }, (_, i) => ({ i })),
    );
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of readJsonArray(file, controller.signal)) controller.abort();
    })();
    await expectRejection(reading, "ERR_ABORTED");
  });
});
