import { Turns } from "../../base/yielding.js";
import { type GlueItem, type GlueTaskName, type GlueTests, glueTaskNames } from "../../data/glue.js";
import { LyaplockError } from "../../errors.js";
import type { LanguageModel } from "../../model/language-model.js";
import { matthewsCorrelation, weightedF1 } from "./agreement.js";
import { type Answer, answersTo } from "./answers.js";
import { answerInText, mostProbable, NO_ANSWER } from "./reading.js";
import { type GlueTask, glueTasks, publishedRte } from "./tasks.js";

/** Tokens that are generated to find an answer in (reference, section 13). */
const NEW_TOKENS = 5;

export interface GlueOptions {
  /** Take RTE's labels the wrong way round, as the published results do (Q8). */
  publishedRteLabels?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?(progress: { task: string; done: number; of: number }): void;
}

/** One test: its label, and what the model made of it. Answers are indices; -1 is none. */
export interface GlueTestResult {
  /** In its file, from 0. */
  index: number;
  label: number;
  /** What the model went on to say. */
  said: string;
  /** The answer found in that. */
  answer: number;
  /** Of each possible answer, the mean of -log p over its tokens, and which is the most probable. */
  losses: number[];
  mostProbable: number;
}

/** Figures of a task. */
export interface GlueTaskScores {
  /** Of the generated answers: right, wrong, and none that could be found. Together `total`. */
  correct: number;
  incorrect: number;
  invalid: number;
  total: number;
  /** Tests for which the model has too few positions. They are in no other figure. */
  tooLong: number;
  /** F1 of the generated answers, by class, weighted by support; no answer is a class like any other. 0 to 1. */
  f1: number;
  /** The same of the answers that are most probable: the reference's f1_new. */
  f1New: number;
  /** Matthews's correlation of the generated answers with the labels, -1 to 1. */
  mcc: number;
}

export interface GlueScores {
  /** Means over the tasks. */
  f1: number;
  f1New: number;
  tasks: Record<GlueTaskName, GlueTaskScores>;
}

export interface GlueEvaluation extends GlueScores {
  tests: Record<GlueTaskName, GlueTestResult[]>;
  /** What each task took. */
  seconds: Record<GlueTaskName, number>;
}

/**
 * The six tasks of the paper, without examples before the questions (reference, section 13).
 *
 * @throws ERR_TOO_LONG when the model has positions for no test of a task; ERR_NOT_FINITE for damaged weights; ERR_ABORTED
 */
export async function evaluateGlue(
  model: LanguageModel,
  tests: GlueTests,
  { publishedRteLabels = false, signal, onProgress }: GlueOptions = {},
): Promise<GlueEvaluation> {
  const all = glueTaskNames.reduce((sum, name) => sum + tests[name].length, 0);
  const scores: Partial<GlueEvaluation["tasks"]> = {};
  const results: Partial<GlueEvaluation["tests"]> = {};
  const seconds: Partial<GlueEvaluation["seconds"]> = {};
  let before = 0;
  for (const name of glueTaskNames) {
    const begun = performance.now();
    const task = name === "rte" && publishedRteLabels ? publishedRte : glueTasks[name];
    const tell = (done: number) => onProgress?.({ task: task.title, done: before + done, of: all });
    tell(0);
    const found = await evaluateTask(model, task as GlueTask<GlueItem<GlueTaskName>>, tests[name], tell, signal);
    before += tests[name].length;
    results[name] = found;
    scores[name] = scoresOf(found, tests[name].length);
    seconds[name] = (performance.now() - begun) / 1000;
  }
  const tasks = scores as GlueEvaluation["tasks"];
  const mean = (figure: "f1" | "f1New") =>
    glueTaskNames.reduce((sum, name) => sum + tasks[name][figure], 0) / glueTaskNames.length;
  return {
    ...{ f1: mean("f1"), f1New: mean("f1New"), tasks },
    tests: results as GlueEvaluation["tests"],
    seconds: seconds as GlueEvaluation["seconds"],
  };
}

async function evaluateTask(
  model: LanguageModel,
  task: GlueTask<GlueItem<GlueTaskName>>,
  tests: readonly { index: number; item: GlueItem<GlueTaskName> }[],
  tell: (done: number) => void,
  signal?: AbortSignal,
): Promise<GlueTestResult[]> {
  const candidates = task.answers.map((answer) => model.tokenizer.encodeTarget(` ${answer}`));
  const room = Math.max(NEW_TOKENS, ...candidates.map(({ length }) => length));
  const turns = new Turns(signal);
  const asked: { index: number; label: number; prompt: string; tokens: number[] }[] = [];
  for (const { index, item } of tests) {
    await turns.next();
    const prompt = task.prompt(item);
    const tokens = model.tokenizer.encode(prompt);
    if (tokens.length + room <= model.config.positions) asked.push({ index, label: task.label(item), prompt, tokens });
  }
  if (asked.length === 0) {
    const what = `no test of ${task.title} fits into the model's ${model.config.positions} positions`;
    throw new LyaplockError("ERR_TOO_LONG", `${what}; GLUE cannot be measured on it`);
  }

  const prompts = asked.map(({ tokens }) => tokens);
  const options = { newTokens: NEW_TOKENS, signal, onProgress: tell };
  const answers = await answersTo(model, prompts, candidates, options);
  const results: GlueTestResult[] = [];
  for (const [i, { index, label, prompt, tokens }] of asked.entries()) {
    await turns.next();
    results.push({ index, label, ...read(model, task, prompt, tokens, answers[i]!) });
  }
  return results;
}

function read(
  model: LanguageModel,
  task: GlueTask<GlueItem<GlueTaskName>>,
  prompt: string,
  tokens: readonly number[],
  { generated, losses }: Answer,
): Omit<GlueTestResult, "index" | "label"> {
  if (!losses.every(Number.isFinite)) {
    throw new LyaplockError("ERR_NOT_FINITE", "the model's losses are no numbers; its weights are damaged");
  }
  const { tokenizer } = model;
  const end = generated.indexOf(tokenizer.endOfTextId ?? -1); // the reference stops there
  const kept = end < 0 ? generated : generated.slice(0, end);
  // How a token reads can depend on those before it.
  const said = tokenizer.decodeText([...tokens, ...kept]).slice(tokenizer.decodeText(tokens).length);
  return { said, answer: answerInText(task, prompt, said), losses, mostProbable: mostProbable(losses, task.tie) };
}

function scoresOf(results: readonly GlueTestResult[], tests: number): GlueTaskScores {
  const labels = results.map(({ label }) => label);
  const answers = results.map(({ answer }) => answer);
  const invalid = answers.filter((answer) => answer === NO_ANSWER).length;
  const correct = results.filter(({ label, answer }) => label === answer).length;
  return {
    correct,
    incorrect: results.length - correct - invalid,
    invalid,
    total: results.length,
    tooLong: tests - results.length,
    f1: weightedF1(labels, answers),
    f1New: weightedF1(
      labels,
      results.map((result) => result.mostProbable),
    ),
    mcc: matthewsCorrelation(labels, answers),
  };
}
