import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { completeFromRecord, completeRequest, requestOptions } from "../../src/run/request.js";

const asked = { directory: "runs/a", model: "./models/m", dataset: "counterfact:data/c.json", alpha: 20, batch: 7 };

describe("completeRequest", () => {
  it("fills in what was left out and makes places absolute", () => {
    expect(completeRequest(asked)).toEqual({
      model: resolve("models/m"),
      applyDelta: null,
      base: null,
      caseStudy: null,
      bound: null,
      removeDelta: null,
      weights: "f32",
      dataset: `counterfact:${resolve("data/c.json")}`,
      method: "lyaplock",
      edits: null,
      offset: 0,
      shuffle: false,
      batch: 7,
      alpha: 20,
      seed: 42,
      layers: null,
      hparams: null,
      contextTemplates: null,
      moments: null,
      text: null,
      metricsBefore: false,
      fluency: false,
      consistency: null,
      knowledge: null,
      known: null,
      publishedZsre: false,
      skipBad: false,
      dtype: "as-is",
      glue: null,
      publishedRteLabels: false,
      perplexity: null,
      glueEvery: 1000,
      evalEvery: null,
    });
    const measured = completeRequest({ ...asked, glue: "data/glue", perplexity: "data/text.txt" });
    expect(measured).toMatchObject({ glue: resolve("data/glue"), perplexity: resolve("data/text.txt") });
    expect(completeRequest({ ...asked, applyDelta: ["a", "b"] }).applyDelta).toEqual([resolve("a"), resolve("b")]);
  });

  it("leaves the names of built-in things and of models on a hub alone", () => {
    const request = completeRequest({ directory: "runs/a", model: "builtin:atlas", dataset: "atlas" });
    expect(request).toMatchObject({ model: "builtin:atlas", dataset: "atlas" });
    const onHub = completeRequest({ directory: "runs/a", model: "org/name@v1", dataset: "atlas" });
    expect(onHub.model).toBe("org/name@v1");
  });

  it.each([
    [{ directory: "a", dataset: "atlas" }, "--model"],
    [{ directory: "a", model: "m" }, "--dataset"],
  ])("says what is missing in %j", (options, flag) => {
    expect(() => completeRequest(options)).toThrow(flag);
  });
});

describe("completeFromRecord", () => {
  const recorded = completeRequest(asked);

  it("takes everything from the record where nothing is given", () => {
    expect(completeFromRecord({ directory: "runs/a", resume: true }, recorded)).toEqual(recorded);
  });

  it("takes the default of an option that the record does not know", () => {
    const { consistency: _, offset: _offset, ...earlier } = recorded;
    const completed = completeFromRecord({ directory: "runs/a", resume: true }, earlier as typeof recorded);
    expect(completed).toEqual(recorded);
  });

  it("accepts options that are given again", () => {
    expect(completeFromRecord({ ...asked, resume: true }, recorded)).toEqual(recorded);
  });

  it("accepts another place, since content is compared by its hash", () => {
    expect(completeFromRecord({ directory: "runs/a", model: "./moved/m" }, recorded).model).toBe(resolve("moved/m"));
  });

  it("names every option that differs, and both values", () => {
    const options = { ...asked, alpha: 60, metricsBefore: true, layers: [2, 3] };
    expect(() => completeFromRecord(options, recorded)).toThrow(
      expect.objectContaining({
        code: "ERR_RUN_DIRECTORY",
        message: expect.stringMatching(
          /--alpha: 20 then, 60 now[\s\S]*--metrics-before: false then, true now[\s\S]*--layers: not given then, \[2,3\] now/,
        ),
      }),
    );
  });
});

describe("requestOptions", () => {
  it("asks for the same again, and leaves out what is usual", () => {
    const texts = { text: ["a.txt", "b.txt"], layers: [2, 3], metricsBefore: true, caseStudy: { cases: 3 } };
    expect(requestOptions(completeRequest({ ...asked, ...texts }))).toEqual([
      ...["--model", resolve("models/m"), "--dataset", `counterfact:${resolve("data/c.json")}`, "--method", "lyaplock"],
      ...["--batch", "7", "--alpha", "20", "--layers", "2,3", "--text", resolve("a.txt"), resolve("b.txt")],
      ...["--metrics-before", "--case-study", "3"],
    ]);
  });
});
