import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readResults, type TraceSummary } from "../../src/run/index.js";
import type { TracedFact } from "../../src/trace/index.js";
import { temporaryDirectory } from "../support/temporary.js";
import { tracedFacts, traceSummary, writeTrace } from "../support/trace.js";

describe("reading a trace", () => {
  it("keeps the summary, and of many facts a few, with the first and the last", async () => {
    const path = join(await temporaryDirectory(), "many");
    const facts = tracedFacts(31);
    await writeTrace(path, facts);
    const { runs, traces } = await readResults([path]);
    expect(runs).toEqual([]);
    expect(traces).toHaveLength(1);
    expect(traces[0]).toMatchObject({ name: "many", directory: path, summary: traceSummary(facts) });
    expect(traces[0]!.facts.map(({ knownId }) => knownId)).toEqual([0, 10, 20, 30]);
    expect(traces[0]!.facts[1]).toEqual(facts[10]);
  });

  const damages: [string, (summary: TraceSummary, facts: TracedFact[]) => unknown, string][] = [
    ["fewer facts than it was of", (_, facts) => facts.pop(), "has 4 facts, and summary.json is of 5"],
    ["averages of other layers", ({ average }) => average.kinds.mlp!.last!.mean.pop(), "as many layers"],
    ["no effects", (summary) => Object.assign(summary, { average: null }), '"average"'],
    ["an effect that cannot be", ({ average }) => (average.totalEffect.mean = 1e300), '"average.totalEffect.mean"'],
    [
      "a role that there is not",
      ({ average }) => Object.assign(average.kinds, { mlp: { king: 1 } }),
      '"average.kinds.mlp',
    ],
    ["a fact of fewer texts", (_, facts) => facts[0]!.tokenTexts.pop(), "line 1 is not of a trace"],
    ["a score of fewer layers", (_, facts) => facts[4]!.scores.state![1]!.pop(), "line 5 is not of a trace"],
  ];

  it.each(damages)("refuses %s", async (_, damage, message) => {
    const path = join(await temporaryDirectory(), "damaged");
    const facts = tracedFacts(5);
    const summary = traceSummary(facts);
    damage(summary, facts);
    await writeTrace(path, facts, summary);
    await expect(readResults([path])).rejects.toMatchObject({
      code: "ERR_RUN_DIRECTORY",
      message: expect.stringContaining(message),
    });
  });

  it("refuses one that was not finished, and a directory of nothing", async () => {
    const path = join(await temporaryDirectory(), "unfinished");
    await writeTrace(path, tracedFacts(2));
    await rm(join(path, "summary.json"));
    await expect(readResults([path])).rejects.toThrow("not finished");
    const other = join(path, "other");
    await mkdir(other);
    await writeFile(join(other, "summary.json"), "{}");
    await expect(readResults([other])).rejects.toThrow("holds no run and no trace");
  });
});
