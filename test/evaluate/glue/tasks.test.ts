import { describe, expect, it } from "vitest";
import { glueTasks, publishedRte } from "../../../src/evaluate/glue/tasks.js";

// Prompts as the reference has them (behaviour, section 13), to the space.
describe("GLUE tasks ask", () => {
  it("SST", () => {
    const item = { sentence: "a fine film ", label: 1 } as const;
    expect(glueTasks.sst.prompt(item)).toBe("Review :a fine film \nSentiment :");
    expect(glueTasks.sst.answers[glueTasks.sst.label(item)]).toBe("positive");
    expect(glueTasks.sst.answers[glueTasks.sst.label({ ...item, label: 0 })]).toBe("negative");
  });

  it("MRPC", () => {
    const item = { sentence1: "It rained .", sentence2: "Rain fell .", label: 1 } as const;
    expect(glueTasks.mrpc.prompt(item)).toBe(
      "Are the sentences paraphrases of each other.\nSentence 1: It rained .\nSentence 2: Rain fell .\nAnswer:",
    );
    expect(glueTasks.mrpc.answers[glueTasks.mrpc.label(item)]).toBe("Yes");
    expect(glueTasks.mrpc.answers[glueTasks.mrpc.label({ ...item, label: 0 })]).toBe("No");
  });

  it("CoLA, with a space at the end", () => {
    const item = { sentence: "They sang.", label: 0 } as const;
    expect(glueTasks.cola.prompt(item)).toBe(
      "Is this sentence linguistically acceptable?\nSentence: They sang.\nAnswer: ",
    );
    expect(glueTasks.cola.answers[glueTasks.cola.label(item)]).toBe("No");
    expect(glueTasks.cola.answers[glueTasks.cola.label({ ...item, label: 1 })]).toBe("Yes");
  });

  it("RTE, whose file calls entailment 0; the published results have it the other way round (Q8)", () => {
    const item = { sentence1: "Ann has two cats.", sentence2: "Ann has cats.", label: 0 } as const;
    expect(glueTasks.rte.prompt(item)).toBe("Ann has two cats.\nquestion: Ann has cats. True or False?\nanswer:");
    expect(glueTasks.rte.answers[glueTasks.rte.label(item)]).toBe("True");
    expect(glueTasks.rte.answers[glueTasks.rte.label({ ...item, label: 1 })]).toBe("False");
    expect(publishedRte.answers[publishedRte.label(item)]).toBe("False");
    expect(publishedRte.answers[publishedRte.label({ ...item, label: 1 })]).toBe("True");
  });

  it("NLI", () => {
    const item = { sentence1: "Ann sings.", sentence2: "Ann is silent.", label: "not_entailment" } as const;
    expect(glueTasks.nli.prompt(item)).toBe("Ann sings. entails the Ann is silent. True or False? Answer:");
    expect(glueTasks.nli.answers[glueTasks.nli.label(item)]).toBe("False");
    expect(glueTasks.nli.answers[glueTasks.nli.label({ ...item, label: "entailment" })]).toBe("True");
  });

  it("MMLU", () => {
    const item = { question: "1 + 1?", choices: ["1", "2", "3", "4"], answer: 1 } as GlueMmlu;
    expect(glueTasks.mmlu.prompt(item)).toBe("Question: 1 + 1?\n(A) 1\n(B) 2\n(C) 3\n(D) 4\nAnswer:");
    expect(glueTasks.mmlu.answers[glueTasks.mmlu.label(item)]).toBe("B");
  });
});

type GlueMmlu = Parameters<typeof glueTasks.mmlu.prompt>[0];
