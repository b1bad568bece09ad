import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readTexts } from "../../src/data/texts.js";
import { expectRejection } from "../support/errors.js";
import { temporaryFile } from "../support/json-files.js";
import { temporaryDirectory } from "../support/temporary.js";

async function collect(file: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const text of readTexts(file)) texts.push(text);
  return texts;
}

describe("readTexts", () => {
  it("reads a text a line, whatever ends the lines", async () => {
    expect(await collect(await temporaryFile("t.txt", "one\r\ntwo\n\n  \nthrée\nlast"))).toEqual([
      "one",
      "two",
      "thrée",
      "last",
    ]);
    expect(await collect(await temporaryFile("t.txt", ""))).toEqual([]);
  });

  it("puts lines and characters together that two pieces share", async () => {
    const lines = Array.from({ length: 3000 }, (_, i) => `${i} ${"é😀".repeat(i % 40)}`);
    const file = path.join(await temporaryDirectory(), "t.txt");
    await writeFile(file, lines.join("\n"));
    expect(await collect(file)).toEqual(lines);
  });

  it("reads an array of strings", async () => {
    expect(await collect(await temporaryFile("t.json", ["a\nb", "", "c"]))).toEqual(["a\nb", "c"]);
    await expectRejection(collect(await temporaryFile("t.json", ["a", 3])), "ERR_DATASET_FORMAT", "element 1");
  });

  it("names a file that is not there", async () => {
    await expectRejection(collect("/nowhere/t.txt"), "ERR_FILE", "/nowhere/t.txt");
  });
});
