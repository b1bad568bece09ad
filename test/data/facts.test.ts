import { describe, expect, it } from "vitest";
import { occurrences } from "../../src/data/fact.js";
import { readFacts } from "../../src/data/facts.js";
import { expectRejection } from "../support/errors.js";
import { temporaryFile } from "../support/json-files.js";

const facts = (...content: unknown[]) => temporaryFile("facts.json", content);

describe("readFacts", () => {
  it("reads the ways in which people write facts", async () => {
    const file = await facts(
      { prompt: "The capital of {} is", subject: "Peru", target_new: "Oslo" },
      { prompt: "The capital of Chad is", subject: "Chad", target: "Rome", case_id: 9 },
      { prompt: "{} is in", subject: "Lima", target_new: { str: " Asia" }, target_true: { str: "Peru", id: "Q419" } },
      {
        case_id: 4,
        requested_rewrite: { prompt: "{}", subject: "s", target_new: { str: "a" }, target_true: { str: "b" } },
      },
    );
    expect(await readFacts(file)).toMatchObject([
      { caseId: 0, prompt: "The capital of {} is", subject: "Peru", targetNew: "Oslo" },
      { caseId: 9, prompt: "The capital of {} is", subject: "Chad", targetNew: "Rome" },
      { caseId: 2, prompt: "{} is in", subject: "Lima", targetNew: " Asia", targetTrue: "Peru" },
      { caseId: 4, prompt: "{}", subject: "s", targetNew: "a", targetTrue: "b" },
    ]);
  });

  it.each([
    ["ERR_SUBJECT_NOT_IN_PROMPT", { prompt: "The capital is", subject: "Peru", target: "Oslo" }, '"Peru"'],
    ["ERR_EMPTY_TARGET", { prompt: "{} is", subject: "Peru", target: "" }, "empty"],
    ["ERR_FACT", { prompt: "{} is", subject: " ", target: "Oslo" }, "subject is empty"],
    ["ERR_FACT", { prompt: "{} is", subject: "Peru" }, "target_new"],
    ["ERR_FACT", { prompt: "{} is", subject: "Peru", target: "Oslo", case_id: "x" }, "case_id"],
    ["ERR_FACT", null, "expected object"],
  ] as const)("answers %s for %j, with the index", async (code, bad, part) => {
    const file = await facts({ prompt: "{} is", subject: "Peru", target: "Oslo" }, bad);
    await expectRejection(readFacts(file), code, file, "fact 1", part);
  });

  it("refuses a file without facts", async () => {
    await expectRejection(readFacts(await facts()), "ERR_DATASET_FORMAT", "no facts");
  });

  it("takes a subject with regular-expression and replacement signs for what it is", async () => {
    const [subject, prompt] = ["$& (a.b)*", "About $& (a.b)*, one says"];
    const [fact] = await readFacts(await facts({ prompt, subject, target: "x" }));
    expect(fact!.prompt).toBe("About {}, one says");
  });
});

it("occurrences counts overlaps", () => {
  expect(occurrences("banana", "ana")).toBe(2);
  expect(occurrences("banana", "x")).toBe(0);
});
