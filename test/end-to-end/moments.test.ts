import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { officialJson, officialPath } from "../support/official.js";
import { temporaryDirectory } from "../support/temporary.js";
import { lyaplock, lyaplockJson, start } from "./command.js";
import { readTensors } from "./safetensors.js";
import { editingArguments, factsFile } from "./tiny.js";

const model = ["--model", officialPath("tiny-llama", "model")];
const texts = officialPath("tiny-llama", "statistics", "texts.json");

interface Entry {
  state: string;
  path: string;
  layer?: number;
}

/** A cache of its own. */
async function setup() {
  const cache = await temporaryDirectory();
  const env = { LYAPLOCK_CACHE: cache };
  const moments = (...args: string[]) => lyaplock(["moments", ...args], { env });
  const list = () => lyaplockJson<{ entries: Entry[] }>(["moments", "--list"], { env });
  return { env, moments, list, folder: join(cache, "second-moments") };
}

describe("lyaplock moments", () => {
  it("says beforehand what it will take, and how far it is", async () => {
    const { moments, list } = await setup();
    const collect = [...model, "--text", texts, "--layers", "2-3", "--max-length", "20", "--tokens", "700"];
    const { code, stdout, stderr } = await moments(...collect, "--precision", "float32");
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /Second moments of 2 layers over 700 tokens of \d+ texts; their sums take \d+\.\d MiB of memory\./,
    );
    expect(stderr).toMatch(/All of it takes about \d+ s/);
    expect(stderr).toMatch(/second moments \(layers 2, 3\): 700\/700 tokens/);
    expect(stderr.indexOf("their sums take")).toBeLessThan(stderr.indexOf("700/700"));
    expect(stdout).toMatch(/2 +700\n/);
    const { entries } = await list();
    expect(entries).toMatchObject([
      { state: "whole", model: "model", layer: 2, tokens: 700, precision: "float32", maxLength: 20 },
      { state: "whole", layer: 3 },
    ]);
    expect((await moments("--list")).stdout).toMatch(/model +2 +700 +20 +float32 +0\.\d +\d{4}-\d\d-\d\d +whole/);
  });

  it("verifies: a damaged entry is named, set aside, and ends with 1 once; an edit makes it again; prune removes it", async () => {
    const { env, moments, list, folder } = await setup();
    const directory = await temporaryDirectory();
    const args = await editingArguments("tiny-llama", directory);
    args.splice(args.indexOf("--moments"), 2, "--text", texts);
    const edit = (out: string) =>
      lyaplock(["edit", ...args, "--facts", factsFile("tiny-llama"), "--out", join(directory, out)], { env });
    expect((await edit("first")).code).toBe(0);

    const name = (await readdir(folder)).find((file) => file.endsWith("-layer-3.safetensors"))!;
    const bytes = await readFile(join(folder, name));
    bytes[5000]! ^= 1;
    await writeFile(join(folder, name), bytes);
    const found = await moments("--verify");
    expect(found.code).toBe(1);
    expect(found.stdout).toContain(`Damaged and set aside: ${join(folder, name)}.damaged`);
    expect(await moments("--verify")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("Every entry is whole."),
    });
    expect((await list()).entries.filter(({ state }) => state === "whole")).toMatchObject([{ layer: 2 }, { layer: 4 }]);

    const again = await edit("second");
    expect(again.code).toBe(0);
    expect(again.stderr).toContain("Second moments of 1 layer ");
    const weights = (out: string) => readFile(join(directory, out, "model.safetensors"));
    expect((await weights("second")).equals(await weights("first"))).toBe(true);

    const pruned = await moments("--prune");
    expect(pruned.stdout).toMatch(/layer-3\.safetensors\.damaged.*Removed; 0\.\d MiB are free again\./s);
    expect((await list()).entries.map(({ state, layer }) => [state, layer])).toEqual([
      ["whole", 2],
      ["whole", 3],
      ["whole", 4],
    ]);
    expect((await moments("--prune")).stdout).toContain("There is nothing to remove");
  });

  it("makes edits from the cache to the same bits as the ones that filled it", async () => {
    const { env } = await setup();
    const directory = await temporaryDirectory();
    const args = await editingArguments("tiny-llama", directory);
    args.splice(args.indexOf("--moments"), 2, "--text", texts);
    for (const out of ["filling", "reading"]) {
      const edit = ["edit", ...args, "--facts", factsFile("tiny-llama"), "--out", join(directory, out)];
      expect((await lyaplock(edit, { env })).code).toBe(0);
    }
    const weights = (out: string) => readFile(join(directory, out, "model.safetensors"));
    expect((await weights("reading")).equals(await weights("filling"))).toBe(true);
  });

  it("collects once where two processes want the same", async () => {
    const { env, list } = await setup();
    const collect = ["moments", ...model, "--text", texts, "--layers", "2", "--json"];
    const both = await Promise.all([start(collect, { env }).finished, start(collect, { env }).finished]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(both[0]!.stdout).toBe(both[1]!.stdout);
    expect((await list()).entries).toMatchObject([{ state: "whole", layer: 2 }]);
  });

  it("imports published statistics, which edit reads", async () => {
    const { moments } = await setup();
    const out = await temporaryDirectory();
    const file = fileURLToPath(
      new URL(
        "../fixtures/published/model/wikipedia_stats/model.layers.3.mlp.down_proj_float32_mom2_100.npz",
        import.meta.url,
      ),
    );
    const { code, stdout } = await moments(...model, "--import", file, "--out", out);
    expect(code).toBe(0);
    expect(stdout).toMatch(/3 +\d+\n/);
    expect(await readdir(out)).toEqual(["layer-3.safetensors"]);
    const [actual, expected] = await Promise.all(
      [out, officialPath("tiny-llama", "statistics")].map(
        async (directory) => (await readTensors(join(directory, "layer-3.safetensors"))).second_moment!,
      ),
    );
    expect(actual).toMatchObject({ dtype: "F64", shape: expected!.shape });

    const gpt2 = await moments("--model", officialPath("tiny-gpt2", "model"), "--import", file, "--out", out);
    expect(gpt2).toMatchObject({ code: 1, stderr: expect.stringMatching(/down_proj.*gpt2.*ERR_INVALID_ARGUMENT/s) });
  });
});

describe("a collection that is stopped", () => {
  it("by Ctrl-C says how to go on", async () => {
    const { env } = await setup();
    const file = await makeText();
    const started = start(["moments", ...model, "--text", file, "--layers", "2"], { env });
    const stopOnce = () => {
      if (!started.output.stderr.includes("second moments (")) return;
      started.process.stderr!.off("data", stopOnce);
      started.process.kill("SIGINT");
    };
    started.process.stderr!.on("data", stopOnce);
    const { code, stderr } = await started.finished;
    expect(code).toBe(130);
    expect(stderr).toContain("The same command goes on");
  });

  /** Some hundred thousand tokens. */
  async function makeText(): Promise<string> {
    const all = officialJson<string[]>("tiny-llama", "statistics", "texts.json");
    const file = join(await temporaryDirectory(), "texts.json");
    await writeFile(file, JSON.stringify(Array.from({ length: 60 }, () => all).flat()));
    return file;
  }
});
