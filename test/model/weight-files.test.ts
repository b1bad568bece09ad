import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { findWeightFiles } from "../../src/model/weight-files.js";
import { expectRejection } from "../support/errors.js";
import { temporaryDirectory } from "../support/temporary.js";

const INDEX = "model.safetensors.index.json";

async function directoryWith(files: Record<string, string>): Promise<string> {
  const directory = await temporaryDirectory();
  for (const [name, content] of Object.entries(files)) await writeFile(path.join(directory, name), content);
  return directory;
}

function index(...shards: string[]): string {
  return JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(shards.map((shard, i) => [`w.${i}`, shard])) });
}

describe("findWeightFiles", () => {
  it("finds a single file, an index beside it or not", async () => {
    const directory = await directoryWith({ "model.safetensors": "", [INDEX]: index("elsewhere.safetensors") });
    expect(await findWeightFiles(directory)).toEqual([path.join(directory, "model.safetensors")]);
  });

  it("finds every shard of an index once, sorted", async () => {
    const [first, second] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    const directory = await directoryWith({ [first]: "", [second]: "", [INDEX]: index(second, first, second) });
    expect(await findWeightFiles(directory)).toEqual([first, second].map((name) => path.join(directory, name)));
  });

  it.each(["../outside.safetensors", "/etc/passwd", "sub/m.safetensors", "..\\m.safetensors", "model.bin", ""])(
    "refuses an index that names %j",
    async (shard) => {
      const directory = await directoryWith({ [INDEX]: index(shard) });
      await expectRejection(findWeightFiles(directory), "ERR_MODEL_FORMAT", INDEX, `"${shard}"`);
    },
  );

  it.each(["{", "[]", '{"weight_map": {"w": 3}}', '{"weight_map": {}}'])("refuses the index %s", async (content) => {
    const directory = await directoryWith({ [INDEX]: content });
    await expectRejection(findWeightFiles(directory), "ERR_MODEL_FORMAT", INDEX);
  });

  it("names a shard that is missing", async () => {
    const directory = await directoryWith({ [INDEX]: index("gone.safetensors") });
    await expectRejection(findWeightFiles(directory), "ERR_FILE", "gone.safetensors");
  });

  it("says what to do with weights in another format, and when there are none", async () => {
    const directory = await directoryWith({ "pytorch_model.bin": "" });
    await expectRejection(findWeightFiles(directory), "ERR_FILE", "pytorch_model.bin", "save_pretrained");
    await expectRejection(findWeightFiles(path.join(directory, "gone")), "ERR_FILE", "gone");
  });
});
