import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Everything in a run directory that must not depend on how often the run was interrupted: times and memory removed. */
export async function lastingContent(directory: string): Promise<Record<string, unknown>> {
  const text = (name: string) => readFile(join(directory, name), "utf8");
  const batches = (await text("batches.jsonl")).trimEnd().split("\n");
  const evaluations = (await text("evaluations.jsonl")).split("\n").filter((line) => line !== "");
  const { seconds: _, ...summary } = JSON.parse(await text("summary.json"));
  return {
    batches: batches.map((line) => {
      const { seconds: _seconds, residentBytes: _resident, ...lasting } = JSON.parse(line);
      return lasting;
    }),
    evaluations: evaluations.map((line) => {
      const { seconds: _seconds, ...lasting } = JSON.parse(line);
      return lasting;
    }),
    cases: await text("cases.jsonl"),
    examples: await text("examples.json"),
    caseStudy: await text("case-study.json").catch(() => null), // only where it was asked for
    record: await text("model/lyaplock-edit.json"),
    summary,
    weights: (await readFile(join(directory, "model/model.safetensors"))).toString("base64"),
  };
}
