import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

async function manifest(): Promise<{
  exports: Record<string, string | Record<string, string>>;
  bin: Record<string, string>;
}> {
  return JSON.parse(await readFile(`${root}/package.json`, "utf8"));
}

async function packedFiles(): Promise<string[]> {
  const { stdout } = await promisify(execFile)("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: root,
    maxBuffer: 1 << 24,
  });
  return (JSON.parse(stdout) as { files: { path: string }[] }[])[0]!.files.map(({ path }) => path);
}

describe("the package", () => {
  it("holds what its manifest names, what builds the addon and what the built-in model needs", async () => {
    const { exports, bin } = await manifest();
    const targets = Object.values(exports).flatMap((target) =>
      typeof target === "string" ? [target] : Object.values(target),
    );
    const files = await packedFiles();
    const wanted = [
      ...[...targets, ...Object.values(bin)].map((path) => path.replace(/^\.\//, "")),
      "binding.gyp",
      "native/addon/addon.cpp",
      "scripts/native.mjs",
      ...["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"].map(
        (name) => `models/atlas/${name}`,
      ),
      ...["hparams.json", "context_templates.json", "texts.txt", "edits.json", "knowledge.json"].map(
        (name) => `models/atlas/${name}`,
      ),
      "models/punkt-english/model.json",
      "README.md",
      "LICENSE",
    ];
    expect(wanted.filter((path) => !files.includes(path))).toEqual([]);
    expect(files.filter((path) => /^(test|src|bench|build|node_modules|runs)\//.test(path))).toEqual([]);
  });

  it("gives the names of the architecture, by its own name", async () => {
    const library = await import("lyaplock");
    expect(library).toMatchObject({
      loadModel: expect.any(Function),
      collectSecondMoments: expect.any(Function),
      SequentialEditor: expect.any(Function),
      methods: { lyaplock: expect.any(Function) },
      datasets: { atlas: expect.any(Function), counterfact: expect.any(Function) },
      evaluate: expect.any(Function),
      runExperiment: expect.any(Function),
    });
    const engine = await import("lyaplock/engine");
    for (const name of ["MomentAccumulator", "KeySpace", "LayerEditor", "VirtualQueue"])
      expect(engine).toHaveProperty(name);
    expect(await import("lyaplock/tfjs")).toMatchObject({
      fromTensor: expect.any(Function),
      toTensor: expect.any(Function),
    });
  });
});
