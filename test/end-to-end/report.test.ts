import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { officialJson, officialPath } from "../support/official.js";
import { makeTemporaryDirectory } from "../support/temporary.js";
import { lyaplock, lyaplockJson } from "./command.js";
import { factsFile } from "./tiny.js";

const family = "tiny-llama";
const directory = await makeTemporaryDirectory();
const out = join(directory, "runs");

/** Known facts of which a model of random weights knows none, and facts of the dataset for a case study. */
const known = ["Peru", "Chile"].map((subject, i) => {
  return { known_id: i, subject, attribute: "gold", prompt: `The currency of ${subject} is`, relation_id: "P38" };
});
const [first, , third] = officialJson<{ case_id: number; prompt: string; subject: string }[]>(family, "requests.json");

beforeAll(async () => {
  const { lyaplock: hparams } = officialJson<{ lyaplock: object }>(family, "hparams.json");
  await writeFile(join(directory, "hparams.json"), JSON.stringify(hparams));
  await writeFile(join(directory, "known.json"), JSON.stringify(known));
  const model = { model: officialPath(family, "model"), moments: officialPath(family, "statistics") };
  const config = join(directory, "experiment.json");
  await writeFile(
    config,
    JSON.stringify({
      models: { ...model, name: "tiny", hparams: "hparams.json" },
      datasets: `counterfact:${factsFile(family)}`,
      contextTemplates: officialPath(family, "context_templates.json"),
      methods: [{ method: "lyaplock", alpha: [1.5, 3] }, "memit"],
      ...{ batch: 4, metricsBefore: true, knowledge: "known.json", glueEvery: 4 },
      caseStudy: { cases: [third!.case_id, first!.case_id], tokens: 5 },
    }),
  );
  await lyaplockJson(["run", "--config", config, "--out", out]);
});

async function lines(run: string, file: string): Promise<Record<string, never>[]> {
  const text = await readFile(join(out, run, file), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("a run that measures knowledge and keeps a case study", () => {
  it("asks for known facts before the first edit, as often as told, and after the last", async () => {
    const evaluations = await lines("tiny-counterfact-memit", "evaluations.jsonl");
    expect(evaluations.map(({ kind, edits }) => [kind, edits])).toEqual([0, 4, 8, 12].map((n) => ["knowledge", n]));
    expect(evaluations[0]).toMatchObject({ accuracy: { mean: 0, count: 2 }, relations: { P38: { count: 2 } } });
    const summary = JSON.parse(await readFile(join(out, "tiny-counterfact-memit", "summary.json"), "utf8"));
    expect(summary.knowledge).toMatchObject({ accuracy: { count: 2 } });
  });

  it("has the chosen cases in their order, and what the unedited and the saved model say", async () => {
    const run = join(out, "tiny-counterfact-lyaplock-alpha1.5");
    const study = JSON.parse(await readFile(join(run, "case-study.json"), "utf8"));
    expect(study.map(({ caseId }: { caseId: number }) => caseId)).toEqual([third!.case_id, first!.case_id]);
    for (const [model, when] of [
      [officialPath(family, "model"), "was"],
      [join(run, "model"), "now"],
    ] as const) {
      for (const example of study) {
        const prompted = ["generate", "--model", model, "--prompt", example.prompt];
        const { text } = await lyaplockJson<{ text: string }>([...prompted, "--tokens", "5", "--top-k", "1"]);
        expect(example[when]).toBe(text.slice(example.prompt.length).trim());
      }
    }
  });
});

describe("lyaplock report", () => {
  it("prints the tables that the runs of a matrix can fill", async () => {
    const { code, stdout } = await lyaplock(["report", out]);
    expect(code).toBe(0);
    const sections = ["12 edits, in batches of 4", "LyapLock by α, 12 edits", "Preservation loss of each layer"];
    for (const title of [...sections, "What the edits are not about", "Seconds"]) expect(stdout).toContain(title);
    // test/fixtures/official/README.md: rewrite success 0 → 58 % with α = 1.5.
    expect(stdout).toMatch(/unedited +0\.0 ± 0\.0/);
    expect(stdout).toMatch(/model +1\.5 +58\.3 ± 14\.9/);
  });

  it("takes single runs, and writes Markdown, CSV, JSON and curves", async () => {
    const runs = ["memit", "lyaplock-alpha3"].map((name) => join(out, `tiny-counterfact-${name}`));
    const curves = join(directory, "curves.csv");
    const markdown = await lyaplock(["report", ...runs, "--format", "markdown", "--curves", curves]);
    expect(markdown.stdout).toContain("| model | method | CounterFact: Eff |");
    const written = (await readFile(curves, "utf8")).trimEnd().split("\n");
    expect(written).toHaveLength(1 + 2 * (3 * 3 + 4)); // batches × layers, and knowledge
    const csv = await lyaplock(["report", ...runs, "--format", "csv"]);
    expect(csv.stdout).toContain("model,method,CounterFact Eff,CounterFact Eff standard error");
    const tables = await lyaplockJson<{ title: string }[]>(["report", ...runs]);
    expect(tables[0]!.title).toBe("12 edits, in batches of 4");
  });

  it("prints the case study side by side", async () => {
    const { stdout } = await lyaplock(["report", out, "--case-study"]);
    const prompt = third!.prompt.replace("{}", third!.subject);
    expect(stdout).toContain(`Case ${third!.case_id} (model): "${prompt}" shall be`);
    expect(stdout).toMatch(/unedited .*\nMEMIT .*\nLyapLock, α = 1\.5 .*\nLyapLock, α = 3 /);
  });

  it("refuses what is no run, and a case study of a fact that is not edited", async () => {
    const { code, stderr } = await lyaplock(["report", directory]);
    expect(code).toBe(1);
    expect(stderr).toContain("holds no run");
    const config = join(directory, "wrong.json");
    const models = "builtin:atlas";
    const wrong = { models, datasets: "atlas", methods: "memit", edits: 2, caseStudy: { cases: [999_999] } };
    await writeFile(config, JSON.stringify(wrong));
    const refused = await lyaplock(["run", "--config", config, "--out", join(directory, "wrong")]);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain("case 999999, which is not edited");
  });
});
