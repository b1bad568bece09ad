import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { contentHash } from "../../src/base/content-hash.js";
import { fileError } from "../../src/base/file-error.js";
import { readJsonFile } from "../../src/base/json-file.js";
import { Turns } from "../../src/base/yielding.js";
import { LyaplockError } from "../../src/errors.js";
import { expectRejection } from "../support/errors.js";
import { temporaryDirectory } from "../support/temporary.js";

describe("Turns", () => {
  it("lets timers run within a long loop", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const turns = new Turns();
    const patience = performance.now() + 4000;
    while (ticks <= 5 && performance.now() < patience) await turns.next();
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
  });

  it("throws once the signal has fired, with its reason", async () => {
    const controller = new AbortController();
    const turns = new Turns(controller.signal);
    await turns.next();
    controller.abort("enough");
    await expect(turns.next()).rejects.toMatchObject({ code: "ERR_ABORTED", cause: "enough" });
  });
});

describe("fileError", () => {
  it("says in words what the operating system refused", () => {
    const cause = Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    expect(fileError("write", "/x/y", cause)).toMatchObject({
      code: "ERR_FILE",
      message: expect.stringMatching(/cannot write \/x\/y: the disk is full/),
      cause,
    });
    expect(fileError("write", "/x", new Error("odd")).message).toBe("cannot write /x: odd");
  });

  it("leaves a LyaplockError as it is", () => {
    const error = new LyaplockError("ERR_SHAPE", "s");
    expect(fileError("write", "/x", error)).toBe(error);
  });
});

describe("contentHash", () => {
  it("depends on names, contents and where one file ends", async () => {
    const directory = await temporaryDirectory();
    const file = async (folder: string, name: string, content: string) => {
      const place = path.join(directory, folder, name);
      await mkdir(path.dirname(place), { recursive: true });
      await writeFile(place, content);
      return place;
    };
    const hash = await contentHash([await file("1", "a", "xy"), await file("1", "b", "z")]);
    expect(await contentHash([await file("2", "a", "xy"), await file("2", "b", "z")])).toBe(hash);
    expect(await contentHash([await file("3", "a", "x"), await file("3", "b", "yz")])).not.toBe(hash);
    expect(await contentHash([await file("4", "c", "xy"), await file("4", "b", "z")])).not.toBe(hash);
    await expectRejection(contentHash([path.join(directory, "gone")]), "ERR_FILE", "gone");
  });
});

describe("readJsonFile", () => {
  it("accepts a byte-order mark and names what is wrong", async () => {
    const directory = await temporaryDirectory();
    await writeFile(path.join(directory, "good.json"), '\uFEFF{"a": 1}');
    expect(await readJsonFile(path.join(directory, "good.json"), "ERR_TOKENIZER")).toEqual({ a: 1 });
    await writeFile(path.join(directory, "bad.json"), "{");
    await expectRejection(readJsonFile(path.join(directory, "bad.json"), "ERR_TOKENIZER"), "ERR_TOKENIZER", "bad.json");
    await expectRejection(readJsonFile(directory, "ERR_TOKENIZER"), "ERR_FILE", "directory");
  });
});
