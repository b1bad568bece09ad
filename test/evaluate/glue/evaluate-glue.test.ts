import { describe, expect, it } from "vitest";
import { type GlueTests, glueTaskNames, readGlue } from "../../../src/data/glue.js";
import { answersTo } from "../../../src/evaluate/glue/answers.js";
import { evaluateGlue, type GlueTestResult } from "../../../src/evaluate/glue/evaluate-glue.js";
import { glueTasks } from "../../../src/evaluate/glue/tasks.js";
import { addon, call } from "../../../src/native/index.js";
import { expectWithin } from "../../support/close.js";
import { expectRejection } from "../../support/errors.js";
import { glueDirectory } from "../../support/glue.js";
import { tinyModel } from "../../support/model.js";
import { FAMILIES } from "../../support/official.js";

const tests = await readGlue(glueDirectory);
const first = (name: keyof GlueTests) => {
  const [{ index, item }] = tests[name] as [{ index: number; item: never }];
  return { index, prompt: glueTasks[name].prompt(item), label: glueTasks[name].label(item) };
};

describe.each(FAMILIES)("GLUE of a %s", (family) => {
  it("is what the model says after each prompt, and how probable the answers are there", async () => {
    const model = await tinyModel(family);
    const { tests: results } = await evaluateGlue(model, tests);
    for (const name of glueTaskNames) {
      const { index, prompt, label } = first(name);
      const [result] = results[name] as [GlueTestResult];
      expect(result).toMatchObject({ index, label });

      const tokens = model.encodePrompt(prompt);
      let said = "";
      const options = { maxLength: tokens.length + 5, topK: 1 };
      for await (const { text } of model.generateStream([prompt], options)) said += text;
      expect(said.startsWith(result.said)).toBe(true); // it ends before an end of text

      for (const [i, answer] of glueTasks[name].answers.entries()) {
        const ids = model.tokenizer.encodeTarget(` ${answer}`);
        const whole = {
          tokens: Int32Array.from([...tokens, ...ids]),
          offsets: Int32Array.of(0, tokens.length + ids.length),
        };
        const rows = Int32Array.from(ids, (_, j) => tokens.length - 1 + j);
        const { losses } = await call(() => model.native.score(whole, rows, Int32Array.from(ids)));
        const mean = losses.reduce((sum, loss) => sum + loss, 0) / ids.length;
        expectWithin(result.losses[i]! / mean - 1, 1e-5, `the loss of ${answer}`);
      }
    }
  });
});

describe("GLUE", () => {
  it("counts every test once, the same each time, and RTE's labels as asked", async () => {
    const model = await tinyModel("tiny-llama");
    const progress: string[] = [];
    const evaluation = await evaluateGlue(model, tests, {
      onProgress: ({ task, done, of }) => progress.push(`${task} ${done}/${of}`),
    });
    for (const name of glueTaskNames) {
      const { correct, incorrect, invalid, total, tooLong } = evaluation.tasks[name];
      const results = evaluation.tests[name];
      expect([correct + incorrect + invalid, total, tooLong]).toEqual([4, 4, 0]);
      expect(correct).toBe(results.filter(({ answer, label }) => answer === label).length);
      expect(invalid).toBe(results.filter(({ answer }) => answer === -1).length);
    }
    expect(progress[0]).toBe("SST 0/24");
    expect(progress.at(-1)).toBe("MMLU 24/24");

    const published = await evaluateGlue(model, tests, { publishedRteLabels: true });
    expect(published.tests.rte.map(({ label }) => label)).toEqual(evaluation.tests.rte.map(({ label }) => 1 - label));
    const { rte: _ours, ...others } = evaluation.tests;
    const { rte: _published, ...same } = published.tests;
    expect(same).toEqual(others);
    const f1 = glueTaskNames.map((name) => evaluation.tasks[name].f1New);
    expect(evaluation.f1New).toBeCloseTo(f1.reduce((sum, value) => sum + value, 0) / 6, 14);
  });

  it("leaves out tests that a model has no positions for, and says how many", async () => {
    const model = await tinyModel("tiny-llama");
    const long = { index: 99, item: { sentence: "word ".repeat(300), label: 1 as const } };
    const [whole, some] = [
      await evaluateGlue(model, tests),
      await evaluateGlue(model, { ...tests, sst: [long, ...tests.sst] }),
    ];
    expect(some.tasks.sst).toMatchObject({ total: 4, tooLong: 1, f1New: whole.tasks.sst.f1New });
    await expectRejection(evaluateGlue(model, { ...tests, sst: [long] }), "ERR_TOO_LONG", "SST", "256 positions");
  });

  it("stops when its signal fires, and says so when weights are damaged", async () => {
    const model = await tinyModel("tiny-llama");
    const stop = new AbortController();
    const stopped = evaluateGlue(model, tests, { signal: stop.signal, onProgress: () => stop.abort() });
    await expectRejection(stopped, "ERR_ABORTED");
    const [rows, cols] = [model.config.width, model.config.feedForwardWidth];
    await call(() =>
      model.native.setDrift(3, addon().createMatrix(new Float64Array(rows * cols).fill(1e38), rows, cols)),
    );
    await expectRejection(evaluateGlue(model, tests), "ERR_NOT_FINITE", "weights");
  });
});

describe("answers to many prompts", () => {
  it("are those that each gets alone, in the order they were asked", async () => {
    const model = await tinyModel("tiny-gpt2");
    const lengths = [200, 3, 250, 40, 1, 200, 199];
    // More than are read together: 7 lengths, 9 times over.
    const prompts = Array.from({ length: 63 }, (_, i) =>
      Array.from({ length: lengths[i % 7]! }, (_, j) => (31 * i + 7 * j) % 1000),
    );
    const candidates = [[5], [6, 7, 8]];
    const done: number[] = [];
    const onProgress = (answered: number) => done.push(answered);
    const together = await answersTo(model, prompts, candidates, { newTokens: 4, onProgress });
    expect(done.length).toBeGreaterThan(1);
    expect(done.at(-1)).toBe(63);
    for (const i of [0, 1, 2, 30, 62]) {
      const [alone] = await answersTo(model, [prompts[i]!], candidates, { newTokens: 4 });
      expect(together[i]!.generated).toEqual(alone!.generated);
      for (const [c, loss] of alone!.losses.entries()) expectWithin(together[i]!.losses[c]! / loss - 1, 1e-5);
    }
  });
});
