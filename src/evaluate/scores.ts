/** How a model rates the two targets of a fact after one prompt. */
export interface PromptScore {
  prompt: string;
  /** Mean of −log p per token of the target; lower is more probable. */
  targetNew: number;
  targetTrue: number;
  /** The right target is the more probable one: the new one, or the true one after a neighbourhood prompt. A tie fails (Q19). */
  success: boolean;
  /** Every token of the right target is the most probable one where it stands. */
  correct: boolean;
}

/** The scores of one CounterFact record. */
export interface CaseScores {
  caseId: number;
  rewrite: PromptScore;
  paraphrases: PromptScore[];
  neighborhood: PromptScore[];
}
