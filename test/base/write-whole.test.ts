import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isLeftover, writeWhole } from "../../src/base/write-whole.js";
import { expectRejection } from "../support/errors.js";
import { temporaryDirectory } from "../support/temporary.js";

describe("writeWhole", () => {
  it("replaces a file and leaves nothing beside it", async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, "file.json");
    await writeWhole(path, "old");
    await writeWhole(path, new Uint8Array([110, 101, 119]));
    expect(await readFile(path, "utf8")).toBe("new");
    expect(await readdir(directory)).toEqual(["file.json"]);
  });

  it("leaves nothing beside a place that cannot be taken", async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, "taken");
    await mkdir(path);
    await writeFile(join(path, "file"), "");
    await expectRejection(writeWhole(path, "text"), "ERR_FILE", "taken");
    expect(await readdir(directory)).toEqual(["taken"]);
  });

  it("names the file when its directory is missing", async () => {
    await expectRejection(writeWhole(join(await temporaryDirectory(), "no", "file"), ""), "ERR_FILE", "no/file");
  });
});

describe("isLeftover", () => {
  it.each([
    ["model.0123abcd.tmp", true],
    ["model.tmp", false],
    ["model.0123abcd", false],
    ["model2.0123abcd.tmp", false],
    ["model", false],
  ])("of model: %s %s", (entry, expected) => {
    expect(isLeftover(entry, "model")).toBe(expected);
  });
});
