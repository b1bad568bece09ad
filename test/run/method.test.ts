import { describe, expect, it } from "vitest";
import { chooseMethod, methodInWords, methodNames, methodRecord } from "../../src/run/method.js";
import { fixtureRun } from "../support/fixture-run.js";

const { hyperparameters } = fixtureRun("tiny-llama");

describe("chooseMethod", () => {
  it.each(methodNames)("knows %s by the name it is recorded with", (method) => {
    expect(chooseMethod({ method }, hyperparameters).name).toBe(method);
  });

  it("hands LyapLock its options, or those of the hyperparameters", () => {
    const chosen = chooseMethod({ method: "lyaplock", alpha: 5, base: "rect" }, hyperparameters);
    expect(methodRecord(chosen)).toEqual({ name: "lyaplock", alpha: 5, base: "rect" });
    expect(methodInWords(methodRecord(chosen))).toBe("lyaplock (alpha 5, base rect)");
    const usual = (alpha?: number) => chooseMethod({ method: "lyaplock" }, { ...hyperparameters, alpha }).options;
    expect(usual(7)).toEqual({ alpha: 7 });
    expect(usual()).toEqual({ alpha: 60 });
    const bounded = chooseMethod({ method: "lyaplock", bound: "each-batch" }, hyperparameters);
    expect(bounded.options).toMatchObject({ bound: "each-batch" });
  });

  it.each([{ alpha: 5 }, { base: "memit" as const }, { bound: "average" as const }])("refuses MEMIT %o", (option) => {
    expect(() => chooseMethod({ method: "memit", ...option }, hyperparameters)).toThrow(/memit has no/);
  });
});
