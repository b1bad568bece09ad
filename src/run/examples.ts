import { readJsonFile } from "../base/json-file.js";
import type { Fact } from "../data/records.js";
import { fillPrompt } from "../edit/prompts.js";
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

export function exampleOf(fact: Fact, was: string, now: string | null): Example {
  const prompt = fillPrompt(fact.prompt, fact.subject);
  return { caseId: fact.caseId, prompt, target: fact.targetNew, was, now };
}

/** Reads what a run has kept of its examples. */
export async function readExamples(path: string): Promise<Example[]> {
  return (await readJsonFile(path, "ERR_RUN_DIRECTORY")) as Example[];
}

/** A few facts, spread evenly over all. */
export function chooseExamples(facts: readonly Fact[], number = 6): Fact[] {
  const shown = Math.min(number, facts.length);
  return Array.from({ length: shown }, (_, index) => facts[Math.floor((index * facts.length) / shown)]!);
}

/** The most probable continuation of each fact's prompt, about as long as its target. */
export async function continuations(
  model: LanguageModel,
  facts: readonly Fact[],
  signal?: AbortSignal,
): Promise<string[]> {
  const texts: string[] = [];
  for (const fact of facts) {
    const prompt = fillPrompt(fact.prompt, fact.subject);
    const targets = [fact.targetNew, fact.targetTrue ?? ""].map((target) => tokensOf(model, target));
    const maxLength = model.tokenizer.encode(prompt).length + Math.max(...targets);
    const [text] = await model.generate([prompt], { maxLength, topK: 1, signal });
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
