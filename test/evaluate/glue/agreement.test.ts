import { describe, expect, it } from "vitest";
import { matthewsCorrelation, weightedF1 } from "../../../src/evaluate/glue/agreement.js";

// scikit-learn 1.9.1: f1_score(truth, predicted, average="weighted", zero_division=0) and matthews_corrcoef(truth, predicted),
// on numpy's default_rng(13): two to four classes, half of the predictions drawn anew, some of them -1.
const cases = [
  { truth: "111101100011", predicted: "111000100001", f1: 0.7552447552447553, mcc: 0.5976143046671968 },
  { truth: "011000010110", predicted: "111-001-1-10", f1: 0.5772727272727273, mcc: 0.2645751311064591 },
  { truth: "01212130012323202221", predicted: "013023311-2-23000222", f1: 0.5228174603174602, mcc: 0.3526350166909354 },
  { truth: "30123110000313031111", predicted: "30123320020311232331", f1: 0.6233333333333334, mcc: 0.5073568700574755 },
  { truth: "102111100021212", predicted: "102111-000212--", f1: 0.8841269841269842, mcc: 0.7567467625636746 },
  { truth: "000111", predicted: "------", f1: 0, mcc: 0 },
  { truth: "0011", predicted: "1111", f1: 0.3333333333333333, mcc: 0 },
];

const classes = (digits: string) => Array.from(digits, (digit) => (digit === "-" ? -1 : Number(digit)));

describe("agreement of predicted and true classes", () => {
  it.each(cases)("of $predicted with $truth is what scikit-learn says", ({ truth, predicted, f1, mcc }) => {
    expect(weightedF1(classes(truth), classes(predicted))).toBeCloseTo(f1, 14);
    expect(matthewsCorrelation(classes(truth), classes(predicted))).toBeCloseTo(mcc, 14);
  });

  it("does not depend on what classes are called", () => {
    const [truth, predicted] = [classes(cases[3]!.truth), classes(cases[3]!.predicted)];
    const renamed = (labels: number[]) => labels.map((label) => [7, 3, -2, 0][label]!);
    expect(weightedF1(renamed(truth), renamed(predicted))).toBeCloseTo(weightedF1(truth, predicted), 14);
    expect(matthewsCorrelation(renamed(truth), renamed(predicted))).toBeCloseTo(cases[3]!.mcc, 14);
  });
});
