import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readMatrix } from "../../src/run/matrix-file.js";
import { temporaryFile } from "../support/json-files.js";

const atlas = { models: "builtin:atlas", datasets: "atlas" };

async function names(json: object): Promise<string[]> {
  return (await readMatrix(await temporaryFile("experiment.json", json))).map(({ name }) => name);
}

describe("readMatrix", () => {
  it("makes a run of every combination, and of LyapLock for every α, bound and base", async () => {
    const methods = ["memit", "lyaplock", { method: "lyaplock", bound: "each-batch", alpha: 20 }];
    expect(await names({ ...atlas, methods, alpha: [30, 60] })).toEqual([
      "atlas-memit",
      "atlas-lyaplock-alpha30",
      "atlas-lyaplock-alpha60",
      "atlas-lyaplock-alpha20-each-batch",
    ]);
    const combined = { method: "lyaplock", base: ["rect", "memit"] };
    expect(await names({ ...atlas, methods: ["rect", combined], edits: [100, 200] })).toEqual([
      "atlas-rect-100edits",
      "atlas-lyaplock+rect-100edits",
      "atlas-lyaplock+memit-100edits",
      "atlas-rect-200edits",
      "atlas-lyaplock+rect-200edits",
      "atlas-lyaplock+memit-200edits",
    ]);
  });

  it("names runs after models and data sets", async () => {
    const models = ["smollm2-135m", "./models/gpt2", { name: "xl", model: "../gpt2-xl.Q8_0.gguf" }, "org/name@v1"];
    const datasets = ["counterfact:a.json"];
    expect(await names({ models, datasets, methods: "memit" })).toEqual([
      "smollm2-135m-counterfact-memit",
      "gpt2-counterfact-memit",
      "xl-counterfact-memit",
      "name-counterfact-memit",
    ]);
  });

  it("lets what is said of a method go before a data set, a model and all", async () => {
    const file = await temporaryFile("experiment.json", {
      models: { model: "builtin:atlas", seed: 2, batch: 20, hparams: "model.json" },
      datasets: { dataset: "atlas", seed: 3 },
      methods: ["memit", { method: "rect", seed: 4, hparams: "rect.json" }],
      ...{ seed: 1, batch: 10, dtype: "f32", edits: 100 },
    });
    const [memit, rect] = (await readMatrix(file)).map(({ options }) => options);
    const beside = (name: string) => join(dirname(file), name);
    const shared = { model: "builtin:atlas", dataset: "atlas", batch: 20, dtype: "f32", edits: 100 };
    expect(memit).toMatchObject({ ...shared, method: "memit", seed: 3, hparams: beside("model.json") });
    expect(rect).toMatchObject({ ...shared, method: "rect", seed: 4, hparams: beside("rect.json") });
  });

  it("finds places beside the file, and {data} where it was told", async () => {
    const json = {
      models: { model: "./m", text: ["{data}/t.txt", "u.txt"] },
      datasets: "counterfact:{data}/c.json",
      methods: "memit",
    };
    const file = await temporaryFile("experiment.json", json);
    const beside = (name: string) => join(dirname(file), name);
    expect((await readMatrix(file, "/elsewhere"))[0]!.options).toMatchObject({
      model: beside("m"),
      text: ["/elsewhere/t.txt", beside("u.txt")],
      dataset: "counterfact:/elsewhere/c.json",
    });
    expect((await readMatrix(file))[0]!.options.dataset).toBe(`counterfact:${beside("data/c.json")}`);
  });

  it.each([
    [{ ...atlas, methods: "mimet" }, /"methods.0.method".*"memit".*"alphaedit"/],
    [{ ...atlas, methods: ["memit"], batches: 3 }, /there is no batches; there are models, .*batch/],
    [{ ...atlas, methods: [{ method: "memit", lr: 3 }] }, /"methods.0": there is no lr; there are name, method/],
    [{ ...atlas, methods: [{ method: "memit", alpha: 3 }] }, /"methods.0.alpha": is an option of lyaplock/],
    [{ ...atlas, methods: "lyaplock", alpha: [0] }, /"alpha.0"/],
    [{ ...atlas, methods: [] }, /"methods"/],
    [{ ...atlas, methods: [{ method: "memit", name: "../up" }] }, /"methods.0.name": must be letters/],
    [{ methods: "memit", datasets: "atlas" }, /"models/],
    [{ ...atlas, methods: ["memit", { method: "memit", batch: 3 }] }, /two runs would be called atlas-memit/],
  ])("refuses %j", async (json, message) => {
    await expect(names(json)).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringMatching(message),
    });
  });
});

describe("the files in experiments/", () => {
  it.each([
    ["atlas-methods", 10, "atlas-lyaplock-alpha22-each-batch"],
    ["atlas-alpha", 6, "atlas-lyaplock-alpha40"],
    ["atlas-combinations", 8, "atlas-lyaplock+rect-alpha22"],
    ["smollm2-counterfact", 5, "smollm2-135m-counterfact-memit-sequential"],
  ])("%s can be run", async (name, runs, one) => {
    const file = fileURLToPath(new URL(`../../experiments/${name}.json`, import.meta.url));
    const planned = await readMatrix(file);
    expect(planned).toHaveLength(runs);
    expect(planned.map((run) => run.name)).toContain(one);
    const { hparams } = planned[0]!.options;
    if (hparams !== undefined) expect(existsSync(hparams)).toBe(true);
  });
});
