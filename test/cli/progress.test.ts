import type { WriteStream } from "node:tty";
import { describe, expect, it } from "vitest";
import { duration } from "../../src/base/duration.js";
import { Pace } from "../../src/cli/pace.js";
import { ProgressDisplay } from "../../src/cli/progress.js";
import type { FinishedBatch } from "../../src/run/events.js";

/** A clock that the test moves, and a stream that remembers. */
function stage(isTTY: boolean) {
  const state = { time: 0, text: "" };
  const stream = {
    isTTY,
    columns: 80,
    write: (text: string) => {
      state.text += text;
      return true;
    },
    // What cli-progress uses of a terminal.
    cursorTo: () => true,
    moveCursor: () => true,
    clearLine: () => true,
  } as unknown as WriteStream;
  return { state, display: new ProgressDisplay(stream, () => state.time) };
}

describe("Pace", () => {
  it("tells rate and time left, counting only what this process did", () => {
    let time = 0;
    const pace = new Pace(100, () => time);
    expect(pace.describe({ stage: "editing", done: 100, of: 200, unit: "facts" })).toBe("");
    time = 10_000;
    expect(pace.describe({ stage: "editing", done: 120, of: 200, unit: "facts" })).toBe("2.0 facts/s, 40 s left");
    expect(pace.describe({ stage: "editing", done: 120, unit: "tokens" })).toBe("2.0 tokens/s");
  });
});

describe("duration", () => {
  it.each([
    [0.2, "1 s"],
    [59.5, "1 min 00 s"],
    [200, "3 min 20 s"],
    [7500, "2 h 05 min"],
  ])("%d s is %s", (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});

describe("ProgressDisplay", () => {
  it("writes plain lines where there is no terminal: first, last, and now and then", () => {
    const { state, display } = stage(false);
    for (const [time, done] of [
      [0, 0],
      [1_000, 1],
      [11_000, 5],
      [12_000, 6],
      [13_000, 10],
      [14_000, 10],
    ] as const) {
      state.time = time;
      display.onProgress({ stage: "editing", detail: "batch 1", done, of: 10, unit: "facts" });
    }
    display.onNote("A note.");
    expect(state.text.split("\n")).toEqual([
      "editing (batch 1): 0/10 facts",
      "editing (batch 1): 5/10 facts, 0.45 facts/s, 11 s left",
      "editing (batch 1): 10/10 facts, 0.77 facts/s",
      "A note.",
      "",
    ]);
    expect(state.text).not.toContain("\u001b");
  });

  it("tells alarms of batches, and with a table each batch on a line", () => {
    const layer = (preservationLoss: number, threshold: number | null, queue: number | null) => ({
      ...{ layer: 1, preservationLoss, baseLoss: 2, threshold, queue, weight: 250, updateNorm: 1, residualNorm: 1 },
      ...{ solveResidual: 0, form: null },
    });
    const batch: FinishedBatch = {
      ...{ batch: 1, edits: 20, layers: [layer(2, 4, 1), layer(3, 4, 1.5)], values: [], residentBytes: 1 },
      seconds: { values: 1, keys: 0.5, updates: 0.25, evaluation: 2 },
    };
    const second: FinishedBatch = {
      ...{ ...batch, batch: 2, edits: 40, layers: [layer(5, null, null)] },
      recalled: { mean: 66.6, standardError: 1, count: 40 },
      alarms: [{ kind: "recall", recalled: 66.6, best: 100 }],
    };
    const plain = stage(false);
    plain.display.onBatch(batch);
    plain.display.onBatch(second);
    expect(plain.state.text).toMatch(/^Alarm after batch 2 \(40 edits\): .*67 %.*100 %\.\n$/);

    const { state, display } = stage(false);
    display.tabulates = true;
    display.onBatch(batch);
    display.onBatch(second);
    const [heading, first, next, alarm] = state.text.split("\n").map((line) => line.trim().split(/ {2,}/));
    expect(heading).toEqual(["batch", "facts", "largest loss", "queue/weight", "first 100 recalled", "seconds"]);
    expect(first).toEqual(["1", "20", "75 % of threshold", "1.5 / 250", "–", "3.8"]);
    expect(next).toEqual(["2", "40", "2.5 x the first", "– / 250", "67 %", "3.8"]);
    expect(alarm![0]).toMatch(/^Alarm after batch 2/);
  });

  it("draws a bar on a terminal, and gives the cursor back", () => {
    const { state, display } = stage(true);
    display.onProgress({ stage: "editing", done: 5, of: 10, unit: "facts" });
    display.finish();
    expect(state.text).toContain("50% editing: 5/10 facts");
    expect(state.text).toContain("\u001b[?25l");
    expect(state.text.lastIndexOf("\u001b[?25h")).toBeGreaterThan(state.text.lastIndexOf("\u001b[?25l"));
  });
});
