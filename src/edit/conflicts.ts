import type { Fact } from "../data/records.js";
import type { FactProblem } from "./fact-problem.js";

/**
 * Facts that say different things after the same words, each with a problem that names the others. Which of them would win
 * depends on their order and on batches: nobody wants to find that out from the edited model.
 */
export function conflictsOf(facts: readonly Fact[]): Map<Fact, FactProblem[]> {
  const byPrompt = new Map<string, Fact[]>();
  for (const fact of facts) {
    const prompt = fact.prompt.split("{}").join(fact.subject);
    const same = byPrompt.get(prompt);
    if (same) same.push(fact);
    else byPrompt.set(prompt, [fact]);
  }
  const problems = new Map<Fact, FactProblem[]>();
  for (const [prompt, same] of byPrompt) {
    for (const fact of same) {
      const others = same.filter(({ targetNew }) => targetNew.trim() !== fact.targetNew.trim());
      if (others.length === 0) continue;
      const named = others.map(({ caseId, targetNew }) => `"${targetNew.trim()}" (case ${caseId})`).join(", ");
      const message = `"${prompt}" is to be "${fact.targetNew.trim()}" here and ${named} elsewhere; keep one`;
      problems.set(fact, [{ code: "ERR_CONFLICTING_FACTS", message }]);
    }
  }
  return problems;
}
