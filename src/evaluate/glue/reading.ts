import type { GlueTask } from "./tasks.js";

/** No answer: a prediction like any other to F1 and MCC, and never right. */
export const NO_ANSWER = -1;

/** The answer that a model gives in words: the first of the task's signs that is anywhere behind the last marker. */
export function answerInText(task: Pick<GlueTask<never>, "signs" | "marker">, prompt: string, said: string): number {
  const text = task.marker === undefined ? said : (prompt + said).split(task.marker).at(-1)!;
  const lower = text.toLowerCase();
  return task.signs.find(([sign]) => lower.includes(sign))?.[1] ?? NO_ANSWER;
}

/** The index of the smallest loss, where one alone is smallest; otherwise what a tie counts as. */
export function mostProbable(losses: readonly number[], tie = NO_ANSWER): number {
  // Compared as probabilities, which can be equal where losses are not.
  const probabilities = losses.map((loss) => Math.exp(-loss));
  const largest = Math.max(...probabilities);
  const at = probabilities.indexOf(largest);
  return at === probabilities.lastIndexOf(largest) ? at : tie;
}
