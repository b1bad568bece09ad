import { exists, writeJson } from "../base/files.js";
import { readJsonFile } from "../base/json-file.js";
import type { Fact } from "../data/records.js";
import { fillPrompt } from "../edit/prompts.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";

/** What the model says after the prompt of an edited fact. */
export interface Example {
  caseId: number;
  prompt: string;
  /** What it shall say. */
  target: string;
  was: string;
  /** Null until the editing is done. */
  now: string | null;
}

/** Facts whose texts are kept, and how they are drawn. */
export interface ExampleSet {
  facts: Fact[];
  drawing: Drawing;
}

/** How a text is drawn. */
interface Drawing {
  /** Of the continuation; null: as many as the longer target has. */
  tokens: number | null;
  /** 1: the most probable token each time. */
  topK: number;
  seed: number;
}

/** Which facts a case study is about, and the texts that are kept of them. */
export interface CaseStudyOptions {
  /** Case ids, or a number of facts, spread evenly over all. */
  cases: number | number[];
  /** Of each text. Default 50. */
  tokens?: number | undefined;
  /** Draw among so many most probable tokens, with the run's seed. Default 1: no chance. */
  topK?: number | undefined;
}

/** A few facts, spread evenly over all, and what is said right after their prompts. */
export function chooseExamples(facts: readonly Fact[]): ExampleSet {
  return { facts: spread(facts, 6), drawing: { tokens: null, topK: 1, seed: 0 } };
}

/** @throws ERR_INVALID_ARGUMENT for a case that is not edited */
export function chooseCaseStudy(
  facts: readonly Fact[],
  { cases, tokens = 50, topK = 1 }: CaseStudyOptions,
  seed: number,
): ExampleSet {
  const drawing = { tokens, topK, seed };
  if (typeof cases === "number") return { facts: spread(facts, cases), drawing };
  const chosen = cases.map((id) => {
    const fact = facts.find(({ caseId }) => caseId === id);
    if (fact !== undefined) return fact;
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `the case study is to show case ${id}, which is not edited`);
  });
  return { facts: chosen, drawing };
}

function spread(facts: readonly Fact[], number: number): Fact[] {
  const shown = Math.min(number, facts.length);
  return Array.from({ length: shown }, (_, index) => facts[Math.floor((index * facts.length) / shown)]!);
}

/** Keeps what the unedited model says. A later session finds the file. */
export async function keepBefore(
  path: string,
  model: LanguageModel,
  set: ExampleSet,
  signal?: AbortSignal,
): Promise<void> {
  if (await exists(path)) return;
  const texts = await continuations(model, set, signal);
  await writeJson(
    path,
    set.facts.map((fact, index) => exampleOf(fact, texts[index]!, null)),
  );
}

/** Adds what the edited model says. */
export async function keepAfter(
  path: string,
  model: LanguageModel,
  set: ExampleSet,
  signal?: AbortSignal,
): Promise<void> {
  const examples = await readExamples(path);
  const texts = await continuations(model, set, signal);
  await writeJson(
    path,
    examples.map((example, index) => ({ ...example, now: texts[index] })),
  );
}

export function exampleOf(fact: Fact, was: string, now: string | null): Example {
  const prompt = fillPrompt(fact.prompt, fact.subject);
  return { caseId: fact.caseId, prompt, target: fact.targetNew, was, now };
}

/** Reads what a run has kept of its examples. */
export async function readExamples(path: string): Promise<Example[]> {
  return (await readJsonFile(path, "ERR_RUN_DIRECTORY")) as Example[];
}

/** A continuation of each fact's prompt. */
export async function continuations(
  model: LanguageModel,
  { facts, drawing: { tokens, topK, seed } }: ExampleSet,
  signal?: AbortSignal,
): Promise<string[]> {
  const texts: string[] = [];
  for (const fact of facts) {
    const prompt = fillPrompt(fact.prompt, fact.subject);
    const targets = [fact.targetNew, fact.targetTrue ?? ""].map((target) => tokensOf(model, target));
    const length = model.tokenizer.encode(prompt).length + (tokens ?? Math.max(...targets));
    const maxLength = Math.min(length, model.config.positions);
    const [text] = await model.generate([prompt], { maxLength, topK, seed, signal });
    texts.push(continuation(text!, prompt));
  }
  return texts;
}

function tokensOf(model: LanguageModel, target: string): number {
  return model.tokenizer.encodeTarget(` ${target.trimStart()}`).length;
}

/** Generated text comes with its prompt, both in compatibility form (reference, section 4). */
function continuation(text: string, prompt: string): string {
  const start = prompt.normalize("NFKD");
  return (text.startsWith(start) ? text.slice(start.length) : text).trim();
}
