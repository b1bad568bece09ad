import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseContextTemplates } from "../../src/edit/context-templates.js";
import { parseHyperparameters } from "../../src/edit/hyperparameters.js";
import {
  fillPrompt,
  inContext,
  keyPrompts,
  lookupPosition,
  splitTemplate,
  valuePrompts,
} from "../../src/edit/prompts.js";
import { defaultHyperparameters } from "../../src/edit/published-hyperparameters.js";
import { expectThrow } from "../support/errors.js";
import { fixtureRun } from "../support/fixture-run.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES, officialJson } from "../support/official.js";

describe("a template", () => {
  it("takes its subject literally, whatever it holds", () => {
    // str.format and String.replace would both trip over these.
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (before, subject, after) => {
        fc.pre(!`${before}\0${after}`.includes("{}"));
        expect(fillPrompt(`${before}{}${after}`, subject)).toBe(before + subject + after);
      }),
    );
    expect(fillPrompt("{} is in", "$& {x}")).toBe("$& {x} is in");
  });

  it("must have one place for the subject", () => {
    for (const wrong of ["no place", "{} and {}", ""])
      expectThrow(() => splitTemplate(wrong), "ERR_SUBJECT_NOT_IN_PROMPT", wrong);
  });

  it("goes into a context with its own place intact", () => {
    expect(inContext("The sky. {}", "The capital of {} is")).toBe("The sky. The capital of {} is");
    expect(inContext("{}", "{} is in")).toBe("{} is in");
  });
});

describe.each(FAMILIES)("prompts with the tokenizer of %s", (family) => {
  it("have their lookup at the end of the subject", async () => {
    const { tokenizer } = await tinyModel(family);
    const { facts, contextTemplates } = fixtureRun(family);
    for (const fact of facts) {
      for (const { tokens, lookup } of valuePrompts(tokenizer, fact, contextTemplates).rewriting) {
        expect(tokenizer.decode(tokens.slice(0, lookup + 1)).endsWith(fact.subject)).toBe(true);
      }
      for (const { tokens, lookup } of keyPrompts(tokenizer, fact, contextTemplates)) {
        expect(tokens.length).toBe(lookup + 1);
        expect(tokenizer.decode(tokens).endsWith(fact.subject)).toBe(true);
      }
      expect(lookupPosition(tokenizer, fact.prompt, fact.subject)).toBe(
        keyPrompts(tokenizer, fact, [["{}"]])[0]!.lookup,
      );
    }
  });

  it("read a target but for its last token", async () => {
    const { tokenizer } = await tinyModel(family);
    const fact = { caseId: 1, prompt: "{} is in", subject: "Rome", targetNew: "the United Kingdom of Great Britain" };
    const { rewriting, target } = valuePrompts(tokenizer, fact, [["{}"]]);
    expect(target.length).toBeGreaterThan(1);
    const whole = tokenizer.encode("Rome is in the United Kingdom of Great Britain");
    expect([...rewriting[0]!.tokens, target.at(-1)]).toEqual(whole);
    expectThrow(() => valuePrompts(tokenizer, { ...fact, targetNew: " " }, [["{}"]]), "ERR_EMPTY_TARGET", "case 1");
  });
});

describe("context templates", () => {
  it("are nested lists that begin with the bare prompt", () => {
    expect(parseContextTemplates([["{}"], ["A. {}", "B. {}"]])).toEqual([["{}"], ["A. {}", "B. {}"]]);
    for (const [wrong, reason] of [
      [["{}"], "array"],
      [[["A. {}"]], "bare prompt"],
      [[["{}"], ["A."]], '"A."'],
      [[["{}"], []], "context templates"],
      [[], "context templates"],
    ] as const) {
      expectThrow(() => parseContextTemplates(wrong), "ERR_INVALID_ARGUMENT", reason);
    }
  });
});

describe("hyperparameters", () => {
  const published = officialJson<{ lyaplock: Record<string, unknown> }>("tiny-llama", "hparams.json").lyaplock;

  it("are read under the published names", () => {
    expect(parseHyperparameters(published)).toEqual({
      layers: [2, 3, 4],
      steps: 25,
      learningRate: 0.1,
      weightDecay: 0.5,
      klFactor: 0.0625,
      clampNormFactor: 0.75,
      covarianceWeight: 15,
    });
    expect(parseHyperparameters({ ...published, alpha: 20 }).alpha).toBe(20);
  });

  it("are refused by the name of the bad one", () => {
    const { v_lr: _, ...without } = published;
    expectThrow(() => parseHyperparameters(without), "ERR_INVALID_ARGUMENT", "v_lr");
    expectThrow(() => parseHyperparameters({ ...published, layers: [3, 2] }), "ERR_INVALID_ARGUMENT", "rising", "3, 2");
    expectThrow(
      () => parseHyperparameters({ ...published, mom2_update_weight: 0 }),
      "ERR_INVALID_ARGUMENT",
      "mom2_update_weight",
    );
    expectThrow(() => parseHyperparameters({ ...published, fact_token: "last" }), "ERR_INVALID_ARGUMENT", "fact_token");
    expectThrow(() => parseHyperparameters(null), "ERR_INVALID_ARGUMENT");
  });

  it("of the published models are the published ones, and in range for any depth", async () => {
    const config = { ...(await tinyModel("tiny-llama")).config };
    expect(defaultHyperparameters({ ...config, layers: 32 })).toMatchObject({
      layers: [4, 5, 6, 7, 8],
      learningRate: 0.1,
      covarianceWeight: 1000,
    });
    expect(defaultHyperparameters({ ...config, family: "gpt2", layers: 48 })).toMatchObject({
      layers: [13, 14, 15, 16, 17],
      steps: 20,
    });
    for (let layers = 1; layers <= 40; layers++) {
      const chosen = defaultHyperparameters({ ...config, layers }).layers;
      expect(chosen).toEqual([...new Set(chosen)].sort((a, b) => a - b));
      expect(chosen.at(-1)).toBeLessThan(layers);
    }
  });
});
