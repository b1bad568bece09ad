import type { Fact } from "../data/records.js";
import { checkFacts, type FactCheck } from "../edit/checks.js";
import type { ContextTemplates } from "../edit/context-templates.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import type { RunEvents } from "./events.js";
import type { SkippedFact } from "./skipped.js";

/**
 * Checks every fact before the first edit.
 *
 * Facts contradict each other within a group only: of two that come one after the other the later one counts, of two
 * that are written at once neither would.
 *
 * @param group - Facts that are written together.
 */
export async function checkInGroups(
  model: LanguageModel,
  facts: readonly Fact[],
  contextTemplates: ContextTemplates,
  group: number,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<FactCheck[]> {
  const checks: FactCheck[] = [];
  for (let start = 0; start < facts.length; start += group) {
    checks.push(...(await checkFacts(model, facts.slice(start, start + group), contextTemplates, { signal })));
    events.onProgress?.({ stage: "checks", done: checks.length, of: facts.length, unit: "facts" });
  }
  return checks;
}

export function isGood(check: FactCheck): boolean {
  return check.problems.length === 0;
}

export function skippedFact({ fact, problems }: FactCheck): SkippedFact {
  return { caseId: fact.caseId, subject: fact.subject, prompt: fact.prompt, problems };
}

/** Throws if a fact is bad and bad ones are not to be skipped, or if no good one is left. */
export function refuseBadFacts(skipped: readonly SkippedFact[], good: number, skipBad: boolean): void {
  const first = skipped[0];
  if (first !== undefined && !skipBad) {
    const shown = skipped.slice(0, 5).flatMap((fact) => fact.problems.map(({ message }) => `\n  ${message}`));
    const more = skipped.length > 5 ? `\n  … and ${skipped.length - 5} more` : "";
    throw new LyaplockError(
      first.problems[0]!.code,
      `${count(skipped.length, "fact")} of ${skipped.length + good} cannot be edited:${shown.join("")}${more}\n` +
        "Mend them, or leave them out with --skip-bad. Nothing was edited.",
    );
  }
  if (good === 0) throw new LyaplockError("ERR_FACT", "There is no fact to edit.");
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
