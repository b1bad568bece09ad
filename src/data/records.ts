/** One fact to write into a model. */
export interface Fact {
  caseId: number;
  /** A sentence start with exactly one "{}", where the subject goes; the target continues it. */
  prompt: string;
  subject: string;
  /** What the model shall say after the prompt. A leading space is added where there is none. */
  targetNew: string;
  /** What it says today, where that is known. */
  targetTrue?: string;
}

/** A record of CounterFact: a fact with the prompts that measure how well it was written (reference, section 12.1). */
export interface CounterFactRecord extends Fact {
  targetTrue: string;
  relationId?: string;
  /** The same question in other words, subject filled in. */
  paraphrasePrompts: string[];
  /** The same question about other subjects, for which targetTrue holds and must go on to hold. */
  neighborhoodPrompts: string[];
  attributePrompts: string[];
  generationPrompts: string[];
}
