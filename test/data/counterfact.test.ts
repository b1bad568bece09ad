import { describe, expect, it } from "vitest";
import { type Dataset, datasets, openDataset, type RecordOptions } from "../../src/data/datasets.js";
import type { CounterFactRecord } from "../../src/data/records.js";
import { expectRejection, expectThrow } from "../support/errors.js";
import { temporaryFile } from "../support/json-files.js";

const published = {
  case_id: 7,
  pararel_idx: 2796,
  requested_rewrite: {
    prompt: "The mother tongue of {} is",
    relation_id: "P103",
    target_new: { str: "English", id: "Q1860" },
    target_true: { str: "French", id: "Q150" },
    subject: "Danielle Darrieux",
  },
  paraphrase_prompts: ["p1", "p2"],
  neighborhood_prompts: ["n1", "n2", "n3"],
  attribute_prompts: ["a1"],
  generation_prompts: ["g1", "g2"],
};

const derived = {
  case_id: 8,
  prompt: "The official religion of Edwin of Northumbria is",
  target_new: "Islam",
  subject: "Edwin of Northumbria",
  ground_truth: "Christianity",
  rephrase_prompt: "Edwin follows",
  locality_prompt: "The official religion of Rome is",
  locality_ground_truth: "Christianity",
};

async function read<R>(dataset: Dataset<R>, options?: RecordOptions): Promise<R[]> {
  const records: R[] = [];
  for await (const record of dataset.records(options)) records.push(record);
  return records;
}

async function datasetOf(...records: unknown[]): Promise<Dataset<CounterFactRecord>> {
  return datasets.counterfact(await temporaryFile("facts.json", records));
}

/** Good records with case ids 0, 1, 2, …; a bad one wherever a null stands. */
function numbered(...caseIds: (number | null)[]): Promise<Dataset<CounterFactRecord>> {
  return datasetOf(...caseIds.map((id) => (id === null ? { case_id: -1 } : { ...derived, case_id: id })));
}

describe("a record", () => {
  it("is read as published", async () => {
    expect(await read(await datasetOf(published))).toEqual([
      {
        kind: "counterfact",
        caseId: 7,
        prompt: "The mother tongue of {} is",
        subject: "Danielle Darrieux",
        targetNew: "English",
        targetTrue: "French",
        relationId: "P103",
        targetNewId: "Q1860",
        paraphrasePrompts: ["p1", "p2"],
        neighborhoodPrompts: ["n1", "n2", "n3"],
        attributePrompts: ["a1"],
        generationPrompts: ["g1", "g2"],
      },
    ]);
  });

  it("is read as in the derived file, with {} put for the subject", async () => {
    expect(await read(await datasetOf(derived))).toEqual([
      {
        kind: "counterfact",
        caseId: 8,
        prompt: "The official religion of {} is",
        subject: "Edwin of Northumbria",
        targetNew: "Islam",
        targetTrue: "Christianity",
        paraphrasePrompts: ["Edwin follows"],
        neighborhoodPrompts: ["The official religion of Rome is"],
        attributePrompts: [],
        generationPrompts: [],
      },
    ]);
  });

  const rewrite = (changes: object) => ({
    ...published,
    requested_rewrite: { ...published.requested_rewrite, ...changes },
  });
  it.each([
    ["no object", 3, "expected object"],
    ["without an id", { ...published, case_id: undefined }, '"case_id"'],
    ["without a target", rewrite({ target_new: undefined }), "target_new"],
    ["with a blank target", rewrite({ target_new: { str: " " } }), "target is empty"],
    ["with a blank true target", { ...derived, ground_truth: "", locality_ground_truth: "" }, "true target is empty"],
    ["without a true target", { ...derived, ground_truth: undefined }, "target_true"],
    ["with a blank subject", { ...derived, subject: "" }, "subject is empty"],
    ["with a subject that is not in the prompt", { ...derived, subject: "Edgar" }, '"Edgar"'],
    ["with a subject that is there twice", { ...derived, prompt: "ana in banana", subject: "ana" }, "3 times"],
    ["with two places for it", rewrite({ prompt: "{} and {}" }), "2 times"],
    ["with another answer for the neighbour", { ...derived, locality_ground_truth: "None" }, '"None"'],
    ["with numbers for prompts", { ...published, paraphrase_prompts: [1] }, "paraphrase_prompts.0"],
  ])("is skipped when it is %s", async (_, bad, reason) => {
    const skipped: { index: number; reason: string }[] = [];
    const records = await read(await datasetOf(derived, bad, published), { onSkip: (skip) => skipped.push(skip) });
    expect(records.map(({ caseId }) => caseId)).toEqual([8, 7]);
    expect(skipped).toEqual([{ index: 1, reason: expect.stringContaining(reason) }]);
  });

  it("is skipped when another had its case id", async () => {
    const skipped: { index: number; reason: string }[] = [];
    const records = await read(await numbered(5, 6, 5), { onSkip: (skip) => skipped.push(skip) });
    expect(records.map(({ caseId }) => caseId)).toEqual([5, 6]);
    expect(skipped).toEqual([{ index: 2, reason: expect.stringContaining("case_id 5") }]);
  });
});

describe("offset and limit", () => {
  it("count good records only, so that parts make up the whole", async () => {
    const dataset = await numbered(0, null, 1, 2, null, null, 3, 4);
    const ids = async (options: RecordOptions) => (await read(dataset, options)).map(({ caseId }) => caseId);
    expect(await ids({ limit: 2 })).toEqual([0, 1]);
    expect(await ids({ offset: 2, limit: 2 })).toEqual([2, 3]);
    expect(await ids({ offset: 4 })).toEqual([4]);
    expect(await ids({ offset: 5 })).toEqual([]);
    expect(await ids({ limit: 0 })).toEqual([]);
  });

  it("read no further than they must, and all there is before a fault", async () => {
    const file = await temporaryFile("facts.json", `${JSON.stringify([derived]).slice(0, -1)}, broken`);
    expect(await read(datasets.counterfact(file), { limit: 1 })).toHaveLength(1);
    await expectRejection(read(datasets.counterfact(file)), "ERR_DATASET_FORMAT", file);
  });
});

describe("openDataset", () => {
  it("knows the data sets by name", async () => {
    const file = await temporaryFile("facts.json", [derived]);
    expect(await read(openDataset(`counterfact:${file}`))).toHaveLength(1);
    expect(openDataset("atlas").path).toMatch(/models\/atlas\/edits\.json$/);
    for (const spec of ["zsre:", "known:x", "counterfact:", "counterfact", ""]) {
      expectThrow(() => openDataset(spec), "ERR_INVALID_ARGUMENT", `"${spec}"`, "counterfact:FILE");
    }
  });

  it("hashes the file's content", async () => {
    const hash = async (content: unknown) => datasets.counterfact(await temporaryFile("f.json", content)).contentHash();
    expect(await hash([derived])).toBe(await hash([derived]));
    expect(await hash([derived])).not.toBe(await hash([published]));
    expect(await hash([derived])).toMatch(/^[0-9a-f]{64}$/);
  });
});

it("a large file holds the event loop for moments only", async () => {
  const records = Array.from({ length: 5000 }, (_, i) => ({ ...published, case_id: i }));
  const dataset = datasets.counterfact(await temporaryFile("facts.json", records));
  // Processor time and not the clock's: on a busy machine, it is not this loop that the process waits for.
  let [turns, last, longest] = [0, process.cpuUsage(), 0];
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(last);
    turns++;
    longest = Math.max(longest, (user + system) / 1000);
    last = process.cpuUsage();
  }, 1);
  expect(await read(dataset)).toHaveLength(5000);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(10);
  // 10 ms is the aim; the bound leaves room for the garbage collector's threads and still fails for a file parsed whole.
  expect(longest).toBeLessThan(40);
});
