import { describe, expect, it } from "vitest";
import { answerInText, mostProbable } from "../../../src/evaluate/glue/reading.js";
import { glueTasks } from "../../../src/evaluate/glue/tasks.js";

describe("an answer in a generated text", () => {
  const answer = (task: keyof typeof glueTasks, said: string, prompt = "") =>
    glueTasks[task].answers[answerInText(glueTasks[task], prompt, said)] ?? null;

  it("is the first sign in the task's order, wherever it stands and however it is written", () => {
    expect(answer("sst", " Negative, not positive")).toBe("positive");
    expect(answer("sst", " NEGATIVE")).toBe("negative");
    expect(answer("mrpc", " I know it")).toBe("No"); // "no" is in "know"
    expect(answer("cola", "No. Yes")).toBe("Yes");
    expect(answer("rte", " True or False")).toBe("False");
    expect(answer("nli", " True or False")).toBe("True");
    expect(answer("nli", " maybe")).toBeNull();
  });

  it("is looked for behind the last marker, and nowhere before", () => {
    const prompt = "Was it positive?\nSentiment :";
    expect(answer("sst", " it was", prompt)).toBeNull();
    expect(answer("sst", " negative", prompt)).toBe("negative");
    expect(answer("sst", " negative\nSentiment : good", prompt)).toBeNull();
    expect(answer("cola", " no", "Answer: yes?\nAnswer: ")).toBe("No");
  });

  it("is to MMLU a letter before a newline of the continuation", () => {
    const prompt = "Question: a\n(A) b\n(B) c\nAnswer:";
    expect(answer("mmlu", " C\n", prompt)).toBe("C");
    expect(answer("mmlu", " C", prompt)).toBeNull();
    expect(answer("mmlu", " B\nAnswer: A\n", prompt)).toBe("A"); // the order of the letters counts, not of the text
    expect(answer("mmlu", " red\n", prompt)).toBe("D");
  });
});

describe("the most probable answer", () => {
  it("has the smallest loss", () => {
    expect(mostProbable([3, 1.5, 2], 0)).toBe(1);
    expect(mostProbable([0.1, 2], 1)).toBe(0);
  });

  it("is what the task says where two are equally probable", () => {
    expect(mostProbable([1, 1], 1)).toBe(1);
    expect(mostProbable([2, 1, 1, 3])).toBe(-1);
    expect(mostProbable([1, 1, 0.5, 3])).toBe(2);
    expect(mostProbable([900, 800], 0)).toBe(0); // both probabilities are zero
  });
});
