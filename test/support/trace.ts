import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TraceSummary } from "../../src/run/index.js";
import { suggestLayers, TraceAverages, type TracedFact } from "../../src/trace/index.js";

const LAYERS = 6;

/** Facts as a trace has them: a subject of two tokens in a prompt of five, with an effect of MLPs around layer 2. */
export function tracedFacts(count: number): TracedFact[] {
  return Array.from({ length: count }, (_, knownId) => {
    const low = 0.02 + 0.01 * Math.sin(knownId);
    const scores = (strength: number) =>
      Array.from({ length: 5 }, (_, token) =>
        Array.from({ length: LAYERS }, (_, layer) => {
          const carried = token === 2 ? strength / (1 + (layer - 2) ** 2) : 0;
          return low + carried + 0.01 * Math.sin(7 * knownId + 3 * token + layer);
        }),
      );
    return {
      ...{ knownId, prompt: `The city of Lima${knownId} is`, subject: `Lima${knownId}`, answer: " Peru" },
      ...{ tokens: [1, 2, 3, 4, 5], tokenTexts: ["The", " Li", `ma${knownId}`, " is", " in"] },
      ...{ subjectRange: [1, 3], high: 0.9 - 0.001 * (knownId % 7), low, noise: 0.1, window: 2 },
      scores: { state: scores(0.8), mlp: scores(0.5), attention: scores(0.2) },
    };
  });
}

export function traceSummary(facts: readonly TracedFact[]): TraceSummary {
  const averages = new TraceAverages();
  for (const fact of facts) averages.add(fact);
  const average = averages.result();
  return {
    model: { name: "tiny", hash: "a".repeat(64) },
    known: { file: "/somewhere/known.json", hash: "b".repeat(64) },
    ...{ samples: 3, seed: 7, noise: 0.1, window: 2, layers: LAYERS, skipped: { unknown: 4, unusable: 1 }, average },
    ...{ suggestion: suggestLayers(average) ?? null, seconds: 1.5 },
  };
}

/** Writes a directory as `lyaplock trace --out` does. */
export async function writeTrace(
  path: string,
  facts: readonly TracedFact[],
  summary: TraceSummary = traceSummary(facts),
): Promise<void> {
  await mkdir(path, { recursive: true });
  await writeFile(join(path, "trace.jsonl"), facts.map((fact) => `${JSON.stringify(fact)}\n`).join(""));
  await writeFile(join(path, "summary.json"), JSON.stringify(summary));
}
