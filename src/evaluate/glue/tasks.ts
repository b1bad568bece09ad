import type { GlueItem, GlueTaskName } from "../../data/glue.js";

/** How a task is put to a model, and its answers to a label (reference, section 13). */
export interface GlueTask<Item> {
  /** What people call it. */
  title: string;
  /** Possible answers; a label is an index into them. */
  answers: readonly string[];
  prompt(item: Item): string;
  label(item: Item): number;
  /** What in a generated text, in lower case, means which answer: the first in this order that is there counts. */
  signs: readonly (readonly [sign: string, answer: number])[];
  /** Signs are looked for behind the last one of these in prompt and continuation; in the continuation where there is none. */
  marker?: string;
  /** The answer when both are equally probable; none where absent. */
  tie?: number;
}

const [positive, negative] = [0, 1];
const [yes, no] = [0, 1];
const [isTrue, isFalse] = [0, 1];

export const glueTasks: { [Name in GlueTaskName]: GlueTask<GlueItem<Name>> } = {
  sst: {
    title: "SST",
    answers: ["positive", "negative"],
    prompt: ({ sentence }) => `Review :${sentence}\nSentiment :`,
    label: ({ label }) => (label === 1 ? positive : negative),
    signs: [
      ["positive", positive],
      ["negative", negative],
    ],
    marker: "Sentiment :",
    tie: negative,
  },
  mrpc: {
    title: "MRPC",
    answers: ["Yes", "No"],
    prompt: ({ sentence1, sentence2 }) =>
      `Are the sentences paraphrases of each other.\nSentence 1: ${sentence1}\nSentence 2: ${sentence2}\nAnswer:`,
    label: ({ label }) => (label === 1 ? yes : no),
    signs: [
      ["yes", yes],
      ["no", no],
    ],
    marker: "Answer:",
    tie: no,
  },
  cola: {
    title: "CoLA",
    answers: ["Yes", "No"],
    prompt: ({ sentence }) => `Is this sentence linguistically acceptable?\nSentence: ${sentence}\nAnswer: `,
    label: ({ label }) => (label === 1 ? yes : no),
    signs: [
      ["yes", yes],
      ["no", no],
    ],
    marker: "Answer:",
    tie: no,
  },
  rte: {
    title: "RTE",
    answers: ["True", "False"],
    prompt: ({ sentence1, sentence2 }) => `${sentence1}\nquestion: ${sentence2} True or False?\nanswer:`,
    label: ({ label }) => (label === 0 ? isTrue : isFalse), // 0 is "entailment" in the file
    signs: [
      ["false", isFalse],
      ["true", isTrue],
    ],
    marker: "answer:",
    tie: isFalse,
  },
  nli: {
    title: "NLI",
    answers: ["True", "False"],
    prompt: ({ sentence1, sentence2 }) => `${sentence1} entails the ${sentence2} True or False? Answer:`,
    label: ({ label }) => (label === "entailment" ? isTrue : isFalse),
    signs: [
      ["true", isTrue],
      ["false", isFalse],
    ],
    marker: "True or False? Answer:",
    tie: isFalse,
  },
  mmlu: {
    title: "MMLU",
    answers: ["A", "B", "C", "D"],
    prompt: ({ question, choices: [a, b, c, d] }) =>
      `Question: ${question}\n(A) ${a}\n(B) ${b}\n(C) ${c}\n(D) ${d}\nAnswer:`,
    label: ({ answer }) => answer,
    // Whatever word the letter ends: as the reference has it.
    signs: [
      ["a\n", 0],
      ["b\n", 1],
      ["c\n", 2],
      ["d\n", 3],
    ],
  },
};

/** RTE as the published results were computed: there the file's 0, entailment, is taken as "False" (Q8). */
export const publishedRte: GlueTask<GlueItem<"rte">> = {
  ...glueTasks.rte,
  label: ({ label }) => (label === 1 ? isTrue : isFalse),
};
