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
export interface CounterFactScores {
  caseId: number;
  rewrite: PromptScore;
  paraphrases: PromptScore[];
  neighborhood: PromptScore[];
  /** Where text was generated: it was asked for, and the record has prompts for it. */
  generation?: GenerationScores;
}

/** Texts that a model has continued, and what they are like. */
export interface GenerationScores {
  /** Prompts included. */
  texts: string[];
  /** Entropy of their word pairs and triples in bits, a weighted mean of both; mean over texts. */
  fluency: number;
  /** 0 to 1: how like the reference texts on the new target they are, where there are such texts. */
  consistency?: number;
}

/** How a model answers one question of ZsRE, token by token: each is predicted after the tokens of the answer before it. */
export interface AnswerScore {
  prompt: string;
  /** The most probable token at each place. */
  predicted: number[];
  expected: number[];
  /** Share of them that are equal, 0 to 1. */
  accuracy: number;
}

/** The scores of one ZsRE record. */
export interface ZsreScores {
  caseId: number;
  rewrite: AnswerScore;
  paraphrases: AnswerScore[];
  neighborhood: AnswerScore[];
}

export type CaseScores = CounterFactScores | ZsreScores;
