import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { saveModelDirectory } from "../../src/model/save.js";
import { expectRejection } from "../support/errors.js";
import { temporaryDirectory } from "../support/temporary.js";

/** A safetensors file of `bytes` tensor bytes: length of the header, header, content. */
function weights(bytes: number): Buffer {
  const header = Buffer.from(JSON.stringify({ w: { dtype: "U8", shape: [bytes], data_offsets: [0, bytes] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(bytes)]);
}

async function sourceDirectory(): Promise<string> {
  const source = await temporaryDirectory();
  const config = { model_type: "llama", torch_dtype: "float16", bos_token_id: 0 };
  await writeFile(path.join(source, "config.json"), JSON.stringify(config));
  const files = ["tokenizer.json", "tokenizer_config.json", "LICENSE", "train.py", "model.safetensors", "merges.txt"];
  for (const name of files) await writeFile(path.join(source, name), `content of ${name}`);
  await mkdir(path.join(source, "notice")); // a directory of that name is not a notice
  return source;
}

const writeOne = async (into: string) => {
  await writeFile(path.join(into, "model.safetensors"), weights(4));
  return { asFloat32: false };
};

describe("saveModelDirectory", () => {
  it("copies what belongs to a model", async () => {
    const [source, parent] = [await sourceDirectory(), await temporaryDirectory()];
    const directory = path.join(parent, "deep", "edited");
    await saveModelDirectory({ source, directory, writeWeights: writeOne });
    const names = [
      "LICENSE",
      "config.json",
      "merges.txt",
      "model.safetensors",
      "tokenizer.json",
      "tokenizer_config.json",
    ];
    expect((await readdir(directory)).sort()).toEqual(names);
    expect(await readFile(path.join(directory, "tokenizer.json"), "utf8")).toBe("content of tokenizer.json");
    const config = (of: string) => readFile(path.join(of, "config.json"), "utf8");
    expect(await config(directory)).toBe(await config(source));
    expect(await readdir(path.dirname(directory))).toEqual(["edited"]);
  });

  it("says float32 in the config where the weights ask for it", async () => {
    const [source, directory] = [await sourceDirectory(), await temporaryDirectory()];
    const writeWeights = async (into: string) => ({ ...(await writeOne(into)), asFloat32: true });
    await saveModelDirectory({ source, directory, writeWeights });
    expect(JSON.parse(await readFile(path.join(directory, "config.json"), "utf8"))).toEqual({
      model_type: "llama",
      torch_dtype: "float32",
      dtype: "float32",
      bos_token_id: 0,
    });
  });

  it("writes an index with the size the shards have now", async () => {
    const [source, parent] = [await temporaryDirectory(), await temporaryDirectory()];
    await writeFile(path.join(source, "config.json"), "{}");
    const index = {
      metadata: { total_size: 1, made: "by hand" },
      weight_map: { a: "s1.safetensors", b: "s2.safetensors" },
    };
    await writeFile(path.join(source, "model.safetensors.index.json"), JSON.stringify(index));
    const directory = path.join(parent, "edited");
    const writeWeights = async (into: string) => {
      await writeFile(path.join(into, "s1.safetensors"), weights(40));
      await writeFile(path.join(into, "s2.safetensors"), weights(24));
      return { asFloat32: false };
    };
    await saveModelDirectory({ source, directory, writeWeights });
    const written = await readFile(path.join(directory, "model.safetensors.index.json"), "utf8");
    expect(JSON.parse(written)).toEqual({ ...index, metadata: { total_size: 64, made: "by hand" } });
  });

  it("takes the place of an empty directory, and of no other", async () => {
    const [source, directory] = [await sourceDirectory(), await temporaryDirectory()];
    await saveModelDirectory({ source, directory, writeWeights: writeOne });
    expect(await readdir(directory)).toContain("model.safetensors");
    const again = saveModelDirectory({ source, directory, writeWeights: () => expect.fail("wrote all the same") });
    await expectRejection(again, "ERR_FILE", directory, "not empty");
  });

  it("leaves nothing behind when the disk is full", async () => {
    const [source, parent] = [await sourceDirectory(), await temporaryDirectory()];
    const writeWeights = async (into: string) => {
      await writeOne(into);
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    };
    const saving = saveModelDirectory({ source, directory: path.join(parent, "edited"), writeWeights });
    await expectRejection(saving, "ERR_FILE", "edited", "disk is full");
    expect(await readdir(parent)).toEqual([]);
  });
});
