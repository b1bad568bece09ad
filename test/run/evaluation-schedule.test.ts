import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dueAfter } from "../../src/run/evaluation-schedule.js";
import { completeRequest, type RunRequest } from "../../src/run/request.js";

const request = (asked: Partial<RunRequest>): RunRequest => ({
  ...completeRequest({ directory: "a", model: "m", dataset: "atlas" }),
  ...asked,
});

describe("what is measured during a run", () => {
  /** Edits after which something of a kind is due. */
  const times = (kind: string, facts: number, asked: RunRequest) => {
    const ends = Array.from({ length: Math.ceil(facts / asked.batch) }, (_, i) =>
      Math.min((i + 1) * asked.batch, facts),
    );
    return [0, ...ends].filter((edits) => dueAfter(edits, facts, asked).includes(kind as never));
  };

  it("is what was asked for", () => {
    expect(times("glue", 300, request({}))).toEqual([]);
    expect(times("perplexity", 300, request({ glue: "g" }))).toEqual([]);
    expect(times("metrics", 300, request({ glue: "g", perplexity: "p" }))).toEqual([]);
    expect(dueAfter(0, 300, request({ glue: "g", perplexity: "p" }))).toEqual(["glue", "perplexity"]);
  });

  it("is measured at the end of the batch in which its number of edits is reached", () => {
    const asked = request({ glue: "g", perplexity: "p", glueEvery: 250, evalEvery: 250 });
    expect(times("glue", 1000, asked)).toEqual([0, 300, 500, 800, 1000]);
    expect(times("perplexity", 1030, asked)).toEqual([0, 300, 500, 800, 1000, 1030]);
    expect(times("metrics", 1000, asked)).toEqual([300, 500, 800]);
    expect(times("metrics", 1030, asked)).toEqual([300, 500, 800, 1000]);
    expect(times("metrics", 50, asked)).toEqual([]);
  });

  it("is measured once for every multiple, or once for several in one batch", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 1, max: 400 }),
        (batch, every, facts) => {
          const found = times("glue", facts, request({ glue: "g", batch, glueEvery: every }));
          const expected = new Set([0, facts]);
          for (let n = every; n <= facts; n += every) expected.add(Math.min(Math.ceil(n / batch) * batch, facts));
          expect(found).toEqual([...expected].sort((a, b) => a - b));
        },
      ),
      { seed: 5 },
    );
  });
});
