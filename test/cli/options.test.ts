import { describe, expect, it } from "vitest";
import { layerList, numberFromOne, positiveInteger, wholeNumber } from "../../src/cli/options.js";

describe("layerList", () => {
  it.each([
    ["3", [3]],
    ["2,3,4", [2, 3, 4]],
    ["2-4", [2, 3, 4]],
    ["0, 2-3", [0, 2, 3]],
  ])("reads %j", (text, layers) => {
    expect(layerList(text)).toEqual(layers);
  });

  it.each(["", "a", "4-2", "3,2", "2,2", "1-3,2", "-1", "1.5", "1,", "99999"])("refuses %j", (text) => {
    expect(() => layerList(text)).toThrow();
  });
});

describe("numbers", () => {
  it.each(["0", "-1", "1.5", "x", "", "1e3", "99999999999999999999"])("a positive integer is not %j", (text) => {
    expect(() => positiveInteger(text)).toThrow();
  });
  it.each(["0", "0.99", "-2", "x", "", " ", "NaN", "Infinity"])("a number from 1 is not %j", (text) => {
    expect(() => numberFromOne(text)).toThrow();
  });
  it("are read", () => {
    expect([positiveInteger("12"), wholeNumber("0"), numberFromOne("1.5"), numberFromOne("6e1")]).toEqual([
      12, 0, 1.5, 60,
    ]);
  });
});
