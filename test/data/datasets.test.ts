import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Dataset, datasets, openDataset, type RecordOptions } from "../../src/data/datasets.js";
import { shuffle } from "../../src/data/shuffle.js";
import { dataFile } from "../support/data-files.js";

async function read<R>(dataset: Dataset<R>, options?: RecordOptions): Promise<R[]> {
  const records: R[] = [];
  for await (const record of dataset.records(options)) records.push(record);
  return records;
}

async function readAll<R>(dataset: Dataset<R>) {
  const skipped: { index: number; reason: string }[] = [];
  return { records: await read(dataset, { onSkip: (skip) => skipped.push(skip) }), skipped };
}

describe("ZsRE", () => {
  it("is read as the reference reads it: the first answer is written, the case id is the place", async () => {
    const { records, skipped } = await readAll(datasets.zsre(dataFile("zsre.json")));
    expect(records[0]).toEqual({
      kind: "zsre",
      caseId: 0,
      prompt: "What voice type does {} have?",
      subject: "Anna Holm",
      targetNew: "alto",
      paraphrasePrompts: ["What sort of voice does Anna Holm have?"],
      neighborhood: [{ prompt: "nq question: who wrote the song about the harbour?", answer: "Ole Dahl" }],
    });
    expect(records.map(({ caseId }) => caseId)).toEqual([0, 1, 4]);
    expect(skipped).toEqual([
      { index: 2, reason: expect.stringContaining('"anna" stands 3 times') },
      { index: 3, reason: expect.stringContaining('"answers"') },
    ]);
  });

  it("is opened by name", async () => {
    const dataset = openDataset(`zsre:${dataFile("zsre.json")}`);
    expect(dataset.name).toBe("zsre");
    expect(await read(dataset, { limit: 1 })).toMatchObject([{ kind: "zsre" }]);
  });
});

it("multi-CounterFact keeps what generated text is measured by", async () => {
  const { records, skipped } = await readAll(datasets.counterfact(dataFile("multi-counterfact.json")));
  expect(records).toMatchObject([
    {
      caseId: 11,
      relationId: "P364",
      targetNewId: "Q1321",
      generationPrompts: ["The Long Monsoon is", "People in The Long Monsoon speak"],
    },
    { caseId: 12, generationPrompts: [] },
  ]);
  expect(skipped).toMatchObject([{ index: 2, reason: expect.stringContaining("Nobody") }]);
});

it("known facts come with what tracing needs, and name what is wrong with the others", async () => {
  const { records, skipped } = await readAll(datasets.known(dataFile("known.json")));
  expect(records).toEqual([
    {
      knownId: 0,
      prompt: "Mount Amund is located in the continent of",
      subject: "Mount Amund",
      attribute: "Antarctica",
      relationId: "P30",
    },
    { knownId: 1, prompt: "The owner of Harbour Radio is", subject: "Harbour Radio", attribute: "CBS" },
  ]);
  expect(skipped).toEqual([
    { index: 2, reason: expect.stringContaining("known_id 1") },
    { index: 3, reason: expect.stringContaining('"Lane Radio" is not in the prompt') },
    { index: 4, reason: expect.stringContaining("attribute is empty") },
  ]);
});

describe("shuffled records", () => {
  const dataset = datasets.zsre(dataFile("zsre.json"));
  const ids = async (options: RecordOptions) => (await read(dataset, options)).map(({ caseId }) => caseId);

  it("are the good ones in an order of the seed's, of which offset and limit take a part", async () => {
    const whole = await ids({ shuffle: 3 });
    expect([...whole].sort()).toEqual([0, 1, 4]);
    expect(await ids({ shuffle: 3 })).toEqual(whole);
    expect([...(await ids({ shuffle: 3, limit: 2 })), ...(await ids({ shuffle: 3, offset: 2 }))]).toEqual(whole);
  });

  it("come in another order with another seed", () => {
    const order = (seed: number) => {
      const items = Array.from({ length: 40 }, (_, i) => i);
      shuffle(items, seed);
      return items;
    };
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (a, b) => {
        fc.pre(a !== b);
        expect(order(a)).not.toEqual(order(b));
        expect([...order(a)].sort((x, y) => x - y)).toEqual(Array.from({ length: 40 }, (_, i) => i));
      }),
      { seed: 1, numRuns: 50 },
    );
    // Written down, so that no later version draws a run's facts in another order.
    expect(order(42).slice(0, 8)).toEqual([12, 30, 20, 0, 8, 9, 1, 2]);
  });

  it("are any of their orders equally often", () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 6000; seed++) {
      const items = [0, 1, 2];
      shuffle(items, seed);
      counts.set(items.join(""), (counts.get(items.join("")) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    // Six standard deviations of a count of 1,000.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(6 * Math.sqrt(1000 * (5 / 6)));
  });
});
