import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it, vi } from "vitest";
import { parseHubName } from "../../src/model/hub-name.js";
import { findModel, type LoadOptions, loadModel } from "../../src/model/load.js";
import { expectRejection } from "../support/errors.js";
import { COMMIT, TestHub } from "../support/hub.js";
import { tinyModel } from "../support/model.js";
import { officialPath } from "../support/official.js";

const MODEL = officialPath("tiny-llama", "model");
const NAME = "test-org/tiny-llama";
const WEIGHTS = "model.safetensors";

const cached = () => path.join(process.env.LYAPLOCK_CACHE!, "hub", "test-org--tiny-llama");

/** Loads it and throws it away. */
async function load(source: string, options: LoadOptions = {}): Promise<{ name: string; source: string }> {
  using model = await loadModel(source, options);
  return { name: model.name, source: model.source };
}

describe("a name on the hub", () => {
  it.each([
    ["org/name", { repository: "org/name", revision: "main" }],
    ["HuggingFaceTB/SmolLM2-135M.v1_x@v1.0", { repository: "HuggingFaceTB/SmolLM2-135M.v1_x", revision: "v1.0" }],
    ["org/name@refs/pr/7", { repository: "org/name", revision: "refs/pr/7" }],
    ["org", undefined],
    ["./org/name", undefined],
    ["../name", undefined],
    ["org/..", undefined],
    ["org/name@../../x", undefined],
    ["org/na..me", undefined],
    ["/org/name", undefined],
    ["org/name/more", undefined],
    ["models/mine.gguf", undefined],
    ["src/model", undefined], // there is such a directory
  ])("%s", (source, expected) => {
    expect(parseHubName(source)).toEqual(expected);
  });
});

describe("a model on the hub", () => {
  it("is downloaded once, what is needed of it and no more, and is the model", async () => {
    const hub = await TestHub.serving(MODEL);
    hub.files.set("pytorch_model.bin", Buffer.from("pickle"));
    hub.files.set("README.md", Buffer.from("card"));
    hub.files.set("LICENSE", Buffer.from("do as you like"));
    const told: [string, number, number][] = [];
    using model = await loadModel(NAME, { onProgress: ({ part, done, of }) => told.push([part, done, of]) });
    expect(model).toMatchObject({ name: NAME, source: `${NAME}@${COMMIT}` });
    const local = await tinyModel("tiny-llama");
    expect((await model.logits("I")).logits).toEqual((await local.logits("I")).logits);
    expect(await model.contentHash()).toBe(await local.contentHash());

    const files = ["LICENSE", "config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json"];
    expect((await readdir(model.directory)).sort()).toEqual(files);
    const size = hub.files.get(WEIGHTS)!.length;
    expect(told.filter(([part]) => part === "weights").at(-1)).toEqual(["weights", size, size]);
    expect(told.every(([, done, of]) => done <= of)).toBe(true);
    expect(told.at(0)![0]).toBe("config and tokenizer");

    await load(NAME);
    await load(`${NAME}@v1`);
    expect(hub.downloads(WEIGHTS)).toBe(1);
  });

  it("needs no hub for a commit that is there, and says so for a branch", async () => {
    const hub = await TestHub.serving(MODEL);
    await load(NAME);
    const asked = hub.requests.length;
    await load(`${NAME}@${COMMIT}`);
    expect(hub.requests).toHaveLength(asked);

    vi.stubEnv("HF_HUB_OFFLINE", "1");
    await load(NAME);
    await expectRejection(load(`${NAME}@v1`), "ERR_HUB", "v1", "HF_HUB_OFFLINE");
    vi.stubEnv("HF_HUB_OFFLINE", "");
    vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9");
    const notes: string[] = [];
    expect((await load(NAME, { onNote: (note) => notes.push(note) })).source).toBe(`${NAME}@${COMMIT}`);
    expect(notes).toEqual([expect.stringContaining(COMMIT)]);
    await expectRejection(load("other-org/model"), "ERR_HUB", "other-org/model", "no directory");
    expect(hub.requests).toHaveLength(asked);
  });

  it("goes on where the connection was cut, and where an earlier process was stopped", async () => {
    const hub = await TestHub.serving(MODEL);
    hub.cuts[WEIGHTS] = [400_000];
    const done: number[] = [];
    await load(NAME, { onProgress: (progress) => progress.part === "weights" && done.push(progress.done) });
    expect(hub.downloads(WEIGHTS)).toBe(2);
    expect(done.at(-1)).toBe(hub.files.get(WEIGHTS)!.length);

    const again = await TestHub.serving(MODEL);
    const partial = path.join(cached(), `${COMMIT}.partial`);
    await mkdir(partial, { recursive: true });
    const content = again.files.get(WEIGHTS)!;
    await writeFile(path.join(partial, `${WEIGHTS}.part`), content.subarray(0, content.length - 10));
    again.cuts[WEIGHTS] = [10]; // no more than this is asked for
    await load(NAME);
    expect(again.downloads(WEIGHTS)).toBe(1);
  });

  it("stops when its signal fires, and keeps what has come", async () => {
    const hub = await TestHub.serving(MODEL);
    const stop = new AbortController();
    const onProgress: LoadOptions["onProgress"] = ({ part }) => part === "weights" && stop.abort();
    await expectRejection(load(NAME, { onProgress, signal: stop.signal }), "ERR_ABORTED");
    expect(await readdir(cached())).not.toContain(COMMIT);
    expect(await readdir(path.join(cached(), `${COMMIT}.partial`))).toContain("config.json");
    await load(NAME);
    expect(hub.downloads("config.json")).toBe(1);
    expect((await readdir(cached())).sort()).toEqual([COMMIT, "revisions.json"]);
  });

  it("is refused when a file is not what the hub's listing says", async () => {
    const hub = await TestHub.serving(MODEL);
    const original = hub.files.get(WEIGHTS)!;
    const lie = (change: (entry: { size: number; lfs?: { oid: string; size: number } }) => void) => {
      hub.tree = (entries) => {
        const entry = entries.find(({ path: name }) => name === WEIGHTS)!;
        change(entry);
        return entries;
      };
    };
    lie((entry) => {
      entry.lfs!.oid = createHash("sha256").update("other").digest("hex");
    });
    await expectRejection(load(NAME), "ERR_HUB", WEIGHTS, "another content");
    lie((entry) => {
      entry.lfs!.size = original.length - 1;
    });
    await expectRejection(load(NAME), "ERR_HUB", WEIGHTS, `${original.length}`);
    hub.tree = (entries) => entries;
    await load(NAME);

    const small = await TestHub.serving(MODEL);
    small.tree = (entries) => entries.map((entry) => (entry.path === "config.json" ? { ...entry, oid: "0" } : entry));
    await expectRejection(load(NAME), "ERR_HUB", "config.json", "another content");
  });

  it("cannot write beside its directory", async () => {
    const hub = await TestHub.serving(MODEL);
    hub.tree = (entries) => {
      const evil = ["../../config.json", "/tmp/tokenizer.json", "..\\LICENSE", "sub/config.json"];
      return [...evil.map((name) => ({ ...entries[0]!, path: name })), ...entries];
    };
    using model = await loadModel(NAME);
    expect(await readdir(process.env.LYAPLOCK_CACHE!)).toEqual(["hub"]);
    expect((await readdir(model.directory)).sort()).toEqual((await readdir(MODEL)).sort());

    const shards = await TestHub.serving(MODEL);
    shards.files.delete(WEIGHTS);
    shards.files.set(`${WEIGHTS}.index.json`, Buffer.from('{"weight_map": {"w": "../../evil.safetensors"}}'));
    await expectRejection(load(NAME), "ERR_MODEL_FORMAT", "../../evil.safetensors");
    shards.files.set(`${WEIGHTS}.index.json`, Buffer.from('{"weight_map": {"w": "there.safetensors"}}'));
    await expectRejection(load(NAME), "ERR_HUB", "there.safetensors");
  });

  it("comes in shards too, those that its index names", async () => {
    const hub = await TestHub.serving(MODEL);
    const content = hub.files.get(WEIGHTS)!;
    hub.files.delete(WEIGHTS);
    hub.files.set("model-00001-of-00001.safetensors", content);
    hub.files.set("consolidated.safetensors", content);
    const index = { weight_map: { w: "model-00001-of-00001.safetensors" } };
    hub.files.set(`${WEIGHTS}.index.json`, Buffer.from(JSON.stringify(index)));
    using model = await loadModel(NAME);
    expect(await readdir(model.directory)).not.toContain("consolidated.safetensors");
    expect(hub.downloads("consolidated.safetensors")).toBe(0);
  });

  it("that is not for everyone needs a token", async () => {
    const hub = await TestHub.serving(MODEL);
    hub.token = "hf_secret";
    await expectRejection(load(NAME), "ERR_HUB", "401", "HF_TOKEN");
    vi.stubEnv("HF_TOKEN", "hf_secret");
    await load(NAME);
  });

  it("that is not there, or has no weights we read, says so", async () => {
    const hub = await TestHub.serving(MODEL);
    await expectRejection(load(`${NAME}@nowhere`), "ERR_HUB", "nowhere", "404");
    hub.files.delete("tokenizer.json");
    await expectRejection(load(NAME), "ERR_HUB", "no tokenizer.json");
    hub.files.set("tokenizer.json", await readFile(path.join(MODEL, "tokenizer.json")));
    hub.files.delete(WEIGHTS);
    hub.files.set("pytorch_model.bin", Buffer.from("pickle"));
    await expectRejection(load(NAME), "ERR_HUB", "pytorch_model.bin is not read");
  });

  it("is planned for by its config alone", async () => {
    const hub = await TestHub.serving(MODEL);
    const { name, config } = await findModel(NAME);
    expect({ name, layers: config.layers }).toEqual({ name: NAME, layers: 6 });
    expect(hub.downloads(WEIGHTS)).toBe(0);
    await load(NAME);
    expect(hub.downloads("config.json")).toBe(1);
  });

  it("is downloaded by one of two at a time", async () => {
    const hub = await TestHub.serving(MODEL);
    await Promise.all([load(NAME), load(NAME)]);
    expect(hub.downloads(WEIGHTS)).toBe(1);
  });
});
