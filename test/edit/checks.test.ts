import { describe, expect, it } from "vitest";
import type { Fact } from "../../src/data/records.js";
import { type CheckedModel, checkFacts } from "../../src/edit/checks.js";
import type { ErrorCode } from "../../src/errors.js";
import { Tokenizer } from "../../src/model/tokenizer.js";
import { FAMILIES, type Family, officialJson, officialPath } from "../support/official.js";

const bare = [["{}"]];

async function modelOf(family: Family, positions = 256): Promise<CheckedModel> {
  return { tokenizer: await Tokenizer.load(officialPath(family, "model")), config: { positions } };
}

function fact(changes: Partial<Fact> = {}): Fact {
  return { caseId: 1, prompt: "The capital of {} is", subject: "Peru", targetNew: "Oslo", ...changes };
}

/** Codes of what is wrong with one fact. */
async function problemsOf(
  changes: Partial<Fact>,
  family: Family = "tiny-llama",
  positions = 256,
): Promise<ErrorCode[]> {
  const [check] = await checkFacts(await modelOf(family, positions), [fact(changes)], bare);
  return check!.problems.map(({ code }) => code);
}

describe.each(FAMILIES)("facts of the reference on %s", (family) => {
  type Request = { case_id: number; prompt: string; subject: string; target_new: string };
  const facts = officialJson<Request[]>(family, "requests.json").map((request) =>
    fact({ ...request, caseId: request.case_id, targetNew: request.target_new }),
  );

  it("are good, and looked up where the reference looks them up", async () => {
    const contextTemplates = officialJson<string[][]>(family, "context_templates.json");
    const checks = await checkFacts(await modelOf(family), facts, contextTemplates);
    expect(checks.map(({ problems }) => problems)).toEqual(facts.map(() => []));
    type Values = { case_id: number; lookup_indices: number[]; token_ids: number[][]; target_ids: number[] };
    const expected = officialJson<Values[]>(family, "expected/compute_z.json");
    for (const { case_id, lookup_indices, target_ids } of expected) {
      const check = checks.find(({ fact }) => fact.caseId === case_id)!;
      expect(check.lookup).toBe(lookup_indices[0]);
      expect(check.targetTokens).toHaveLength(target_ids.length);
      expect(check.targetTokens.join("")).toBe(` ${check.fact.targetNew}`);
      expect(check.fact.subject.endsWith(check.lookupToken.trim())).toBe(true);
    }
    expect(expected).toHaveLength(4);
  });
});

describe("a bad fact", () => {
  it.each([
    ["without a place for its subject", { prompt: "The capital is" }, "ERR_SUBJECT_NOT_IN_PROMPT"],
    ["with two places", { prompt: "{} or {}" }, "ERR_SUBJECT_NOT_IN_PROMPT"],
    ["with an empty subject", { subject: "" }, "ERR_FACT"],
    ["with a blank target", { targetNew: "  " }, "ERR_EMPTY_TARGET"],
    ["whose subject ends within a token", { prompt: "The {}ian capital is", subject: "Ital" }, "ERR_TOKENIZER"],
    ["whose subject ends with a space", { subject: "Peru " }, "ERR_TOKENIZER"],
    ["with a lone surrogate in its target", { targetNew: "\ud83d" }, "ERR_TOKENIZER"],
    ["with a BOS in its subject", { subject: "<|begin_of_text|> Peru" }, "ERR_FACT"],
    ["with a BOS in its target", { targetNew: "a<|begin_of_text|>" }, "ERR_FACT"],
  ] as const)("%s is recognised", async (_, changes, code) => {
    expect(await problemsOf(changes)).toContain(code);
  });

  it("is not every fact", async () => {
    expect(await problemsOf({})).toEqual([]);
    expect(await problemsOf({ subject: "日本😀", targetNew: " naïve “x”" })).toEqual([]);
  });

  it("has a BOS in front only where the tokenizer puts it there", async () => {
    expect(await problemsOf({ prompt: "<|endoftext|>{} is" }, "tiny-gpt2")).toContain("ERR_FACT");
    expect(await problemsOf({ prompt: "<|endoftext|>{} is" }, "tiny-llama")).toEqual([]);
  });
});

it("a target that merges with its prompt is recognised", async () => {
  // Two letters are one token, wherever they meet: "is" + " O" alone, but "s " and "Os" in the whole.
  const encode = (text: string) =>
    (text.match(/..?/gsu) ?? []).map((pair) => 256 * pair.charCodeAt(0) + (pair.charCodeAt(1) || 0));
  const decode = (ids: number[]) => ids.map((id) => String.fromCharCode(id >> 8, id & 255).replace("\0", "")).join("");
  const pairs = { encode, encodeTarget: encode, decode, addsBos: false } as unknown as Tokenizer;
  const check = async (prompt: string) => {
    const [found] = await checkFacts({ tokenizer: pairs, config: { positions: 99 } }, [fact({ prompt })], bare);
    return found!.problems.map(({ code, message }) => [code, message.includes("tokens it has alone")]);
  };
  expect(await check("{} is.")).toEqual([]);
  expect(await check("{} is")).toEqual([["ERR_TOKENIZER", true]]);
});

it("what the subject's last token is is shown", async () => {
  const [check] = await checkFacts(await modelOf("tiny-llama"), [fact({ subject: "Ek Hi Bhool" })], bare);
  const { tokenizer } = await modelOf("tiny-llama");
  const start = tokenizer.encode("The capital of Ek Hi Bhool");
  expect(check).toMatchObject({
    lookup: start.length - 1,
    lookupToken: tokenizer.decode(start.slice(-1)),
    promptTokens: tokenizer.encode("The capital of Ek Hi Bhool is").length,
  });
  expect("Ek Hi Bhool".endsWith(check!.lookupToken)).toBe(true);
});

it("the position limit counts the longest context and the target but its last token", async () => {
  const model = await modelOf("tiny-llama");
  const template = "Once upon a time. {}";
  const prompt = model.tokenizer.encode("Once upon a time. The capital of Peru is").length;
  const target = model.tokenizer.encodeTarget(" Oslo").length;
  const needed = prompt + target - 1;
  const problems = async (positions: number) => {
    const [check] = await checkFacts({ ...model, config: { positions } }, [fact()], [["{}"], [template]]);
    return check!.problems.map(({ code }) => code);
  };
  expect(target).toBeGreaterThan(1);
  expect(await problems(needed)).toEqual([]);
  expect(await problems(needed - 1)).toEqual(["ERR_TOO_LONG"]);
});

describe("facts that contradict each other", () => {
  it("name each other, however the prompt is divided", async () => {
    const facts = [
      fact({ caseId: 1, targetNew: "Oslo" }),
      fact({ caseId: 2, targetNew: "Rome", prompt: "The capital {} is", subject: "of Peru" }),
      fact({ caseId: 3, targetNew: "Oslo", subject: "Chad" }),
      fact({ caseId: 4, targetNew: " Oslo" }),
    ];
    const checks = await checkFacts(await modelOf("tiny-llama"), facts, bare);
    expect(checks.map(({ problems }) => problems.map(({ code }) => code))).toEqual([
      ["ERR_CONFLICTING_FACTS"],
      ["ERR_CONFLICTING_FACTS"],
      [],
      ["ERR_CONFLICTING_FACTS"],
    ]);
    const [first, second] = checks.map(({ problems }) => problems[0]?.message);
    expect(first).toContain('"Rome" (case 2)');
    expect(first).not.toContain("case 4");
    expect(second).toContain('"Oslo" (case 1), "Oslo" (case 4)');
  });
});

it("checking stops when its signal fires", async () => {
  const checking = checkFacts(await modelOf("tiny-llama"), [fact()], bare, { signal: AbortSignal.abort() });
  await expect(checking).rejects.toMatchObject({ code: "ERR_ABORTED" });
});
