import { describe, expect, it } from "vitest";
import type { LayerReport } from "../../src/edit/report.js";
import { describeLayers, standing } from "../../src/report/layers.js";

const base = {
  layer: 4,
  preservationLoss: 0.5,
  baseLoss: 0.02,
  threshold: 1.2,
  queue: 1,
  weight: 1000,
  updateNorm: 1,
  residualNorm: 1,
  solveResidual: 1e-15,
  form: "dual",
} satisfies LayerReport;
const over = { ...base, layer: 5, preservationLoss: 2.4, queue: 2, weight: 1000 };
const easing = { ...base, layer: 6, queue: 1.4, weight: 1800 };

describe("standing", () => {
  it.each<[string, LayerReport]>([
    ["within", base],
    ["within", { ...base, preservationLoss: base.threshold }],
    ["pulled back", over],
    ["easing", easing],
    ["unbounded", { ...base, threshold: null, queue: null }],
    ["within", { ...base, queue: null }],
    ["held", { ...base, queue: null, preservationLoss: 0.9996 * base.threshold, weight: 1300 }],
  ])("is %s", (expected, layer) => {
    expect(standing(layer)).toBe(expected);
  });
});

describe("describeLayers", () => {
  it("says in words that every loss ended at or under its threshold", () => {
    const text = describeLayers([base, easing], 1000);
    expect(text).toContain("every layer ended at or under its threshold");
    expect(text).toContain("easing off (weight 1800, next 1400)");
  });

  it("says how far a loss has grown that nothing bounds", () => {
    const text = describeLayers([{ ...base, threshold: null, queue: null }], 1000);
    expect(text).toContain("25 times that of the first batch");
    expect(text).toContain("nothing bounds the loss");
  });

  it("says that a loss is held where it is bounded after each batch", () => {
    const held = { ...base, queue: null, preservationLoss: base.threshold, weight: 1300 };
    const text = describeLayers([{ ...base, queue: null }, held], 1000);
    expect(text).toContain("held at its threshold by the weight (least 1000)");
    expect(text).toContain("every layer ended at or under its threshold");
  });

  it("says which layers ended over it and that the weight rises", () => {
    const text = describeLayers([base, over], 1000);
    expect(text).toContain("over its threshold in 1 of 2 layers (5)");
    expect(text).toContain("pulling it back (weight 1000, next 2000)");
  });
});
