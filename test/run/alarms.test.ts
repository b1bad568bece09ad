import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Alarm,
  alarmInWords,
  alarmsAfter,
  countUnconverged,
  isCollapse,
  type JudgedBatch,
} from "../../src/run/alarms.js";

/** Batches of so many facts, each with what a test gives it. */
function batches(facts: number, given: Partial<JudgedBatch>[]): JudgedBatch[] {
  return given.map((batch, index) => ({ edits: (index + 1) * facts, layers: [], ...batch }));
}

/** What is raised after each of them. */
function raised(all: readonly JudgedBatch[]): Alarm[][] {
  return all.map((_, index) => alarmsAfter(all.slice(0, index + 1)));
}

const recalled = (mean: number, count = 100) => ({ recalled: { mean, standardError: 1, count } });
const loss = (preservationLoss: number, queue: number | null, threshold: number | null = 2, layer = 3) => {
  return { layer, preservationLoss, threshold, queue };
};

describe("an alarm about the preservation loss", () => {
  it("is raised over the band once the queue has been awake, and again only after it was back", () => {
    const losses = [loss(1, 1), loss(3, 1.5), loss(2.3, 1.65), loss(2.4, 1.85), loss(2.1, 1.9), loss(2.5, 2.15)];
    const alarms = raised(
      batches(
        10,
        losses.map((layer) => ({ layers: [layer] })),
      ),
    );
    expect(alarms.map((after) => after.length)).toEqual([0, 0, 1, 0, 0, 1]);
    expect(alarms[2]).toEqual([{ kind: "preservation", layer: 3, ofThreshold: expect.closeTo(115, 8) }]);
    expect(alarms[5]).toEqual([{ kind: "preservation", layer: 3, ofThreshold: 125 }]);
  });

  it("is about each layer", () => {
    const second = [loss(4, 2, 2, 3), loss(2, 2, 2, 4)];
    const all = batches(10, [{ layers: second }, { layers: second }, { layers: [second[0]!, loss(9, 3, 2, 4)] }]);
    expect(raised(all).map((after) => after.map((alarm) => alarm.kind === "preservation" && alarm.layer))).toEqual([
      [],
      [3],
      [4],
    ]);
  });

  it("needs no queue where the threshold holds after each batch, and there is none without a threshold", () => {
    expect(alarmsAfter(batches(10, [{ layers: [loss(2.3, null)] }]))).toHaveLength(1);
    const layers = [loss(1e9, null, null), loss(1, 5, 0, 4)];
    expect(raised(batches(10, [{ layers }, { layers }])).flat()).toEqual([]);
  });

  it("is no alarm of collapse", () => {
    expect(isCollapse({ kind: "preservation", layer: 0, ofThreshold: 150 })).toBe(false);
  });
});

describe("an alarm about recall", () => {
  it("is raised more than 20 points under the best, wherever it was measured", () => {
    const all = batches(100, [recalled(90), {}, recalled(98), recalled(78), {}, recalled(77), {}, recalled(60)]);
    const alarms = raised(all);
    expect(alarms.map((after) => after.length)).toEqual([0, 0, 0, 0, 0, 1, 0, 0]);
    expect(alarms[5]).toEqual([{ kind: "recall", recalled: 77, best: 98 }]);
    expect(alarms[5]!.every(isCollapse)).toBe(true);
  });

  it("is not raised by a few facts", () => {
    expect(raised(batches(1, [recalled(100, 1), recalled(50, 2), recalled(10, 19)])).flat()).toEqual([]);
    expect(raised(batches(10, [recalled(100, 20), recalled(70, 20)])).flat()).toHaveLength(1);
  });

  it("comes exactly where the share falls further than 20 points under all before", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 12 }), (shares) => {
        const alarms = raised(
          batches(
            100,
            shares.map((share) => recalled(share)),
          ),
        );
        const fallen = shares.map((share, index) => Math.max(...shares.slice(0, index + 1)) - share > 20);
        expect(alarms.map((after) => after.length > 0)).toEqual(
          fallen.map((now, index) => now && !(fallen[index - 1] ?? false)),
        );
      }),
    );
  });
});

describe("an alarm about values", () => {
  const shares = (facts: number, counts: (number | undefined)[]) =>
    raised(
      batches(
        facts,
        counts.map((unconverged) => (unconverged === undefined ? {} : { unconverged })),
      ),
    );

  it("is raised when more than 20 points more facts than at first stay improbable", () => {
    const alarms = shares(50, [5, 6, 15, 16, 40, 5, 20]);
    expect(alarms.map((after) => after.length)).toEqual([0, 0, 0, 1, 0, 0, 1]);
    expect(alarms[3]).toEqual([{ kind: "values", unconverged: 32, first: 10 }]);
    expect(alarms[3]!.every(isCollapse)).toBe(true);
  });

  it("takes small batches together, first and last ones apart", () => {
    // Of ten facts each: 20 first ones with 2, and the last 20 must not be among them.
    expect(shares(10, [1, 1, 9]).flat()).toEqual([]);
    expect(shares(10, [1, 1, 2, 5])[3]).toEqual([{ kind: "values", unconverged: 35, first: 10 }]);
    expect(shares(1, [0, 1, 1, 1]).flat()).toEqual([]);
  });

  it("knows nothing of batches that were not counted", () => {
    expect(shares(50, [undefined, 5, undefined, 50])[3]).toEqual([{ kind: "values", unconverged: 100, first: 10 }]);
  });

  it("is never raised while the share does not rise", () => {
    const counts = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 60 }), (unsorted, more) => {
        const falling = [...unsorted].sort((a, b) => b - a);
        expect(shares(30 + more, falling).flat()).toEqual([]);
      }),
    );
  });

  it("counts losses over ln 2, and those that are no number", () => {
    expect(countUnconverged([0.69, 0.7, 5, Number.NaN, 0].map((loss) => ({ loss })))).toBe(3);
  });
});

it("every alarm is a sentence with its figures", () => {
  expect(alarmInWords({ kind: "preservation", layer: 7, ofThreshold: 123.4 })).toMatch(/layer 7 .* 123 %/);
  expect(alarmInWords({ kind: "recall", recalled: 61.2, best: 90.8 })).toMatch(/61 % .* 91 %/);
  expect(alarmInWords({ kind: "values", unconverged: 80, first: 12 })).toMatch(/80 % .* 12 %/);
});
