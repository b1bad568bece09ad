import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JsonLines, readJsonLines } from "../../src/run/json-lines.js";

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "lyaplock-lines-"));
  path = join(directory, "lines.jsonl");
});
afterEach(() => rm(directory, { recursive: true }));

async function read(): Promise<unknown[]> {
  const records: unknown[] = [];
  for await (const record of readJsonLines(path)) records.push(record);
  return records;
}

describe("JsonLines", () => {
  it("appends whole lines and counts their bytes", async () => {
    const lines = await JsonLines.open(path, 0);
    await lines.append([{ a: 1 }, { b: "é" }]);
    await lines.append([{ c: 3 }]);
    const content = await readFile(path);
    expect(lines.bytes).toBe(content.length);
    expect(content.toString()).toBe('{"a":1}\n{"b":"é"}\n{"c":3}\n');
    await lines.close();
  });

  it("cuts off what came after the recorded length, be it a torn line or a whole one", async () => {
    const lines = await JsonLines.open(path, 0);
    await lines.append([{ a: 1 }]);
    const recorded = lines.bytes;
    await lines.append([{ b: 2 }]);
    await lines.close();
    await writeFile(path, `${await readFile(path, "utf8")}{"torn`);

    const again = await JsonLines.open(path, recorded);
    await again.append([{ c: 3 }]);
    await again.close();
    expect(await read()).toEqual([{ a: 1 }, { c: 3 }]);
  });

  it("refuses a file that is shorter than what was recorded", async () => {
    await writeFile(path, "{}\n");
    await expect(JsonLines.open(path, 4)).rejects.toMatchObject({ code: "ERR_RUN_DIRECTORY" });
  });

  it("names the file when it cannot be written", async () => {
    await expect(JsonLines.open(join(directory, "missing", "lines.jsonl"), 0)).rejects.toMatchObject({
      code: "ERR_FILE",
      message: expect.stringContaining("missing"),
    });
  });
});

describe("readJsonLines", () => {
  it("finds nothing in a file that is not there", async () => {
    expect(await read()).toEqual([]);
  });

  it("leaves out what is still being written, and refuses a whole line that is damaged", async () => {
    const long = { text: "é".repeat(100_000) }; // more than is read at once
    await writeFile(path, `${JSON.stringify(long)}\n\n{"b":2}\n{"c":3`);
    expect(await read()).toEqual([long, { b: 2 }]);
    await writeFile(path, '{"a":1}\n{"torn\n');
    await expect(read()).rejects.toMatchObject({ code: "ERR_FILE", message: expect.stringContaining(path) });
  });
});
