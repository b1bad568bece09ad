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

/** A fact with what measures how well it was written; `kind` says how. */
export type DatasetRecord = CounterFactRecord | ZsreRecord;

/** A record of CounterFact or MultiCounterFact (reference, section 12.1). */
export interface CounterFactRecord extends Fact {
  kind: "counterfact";
  targetTrue: string;
  relationId?: string;
  /** The Wikidata id of targetNew: with the relation's, it names the texts that a generated one is compared with. */
  targetNewId?: string;
  /** The same question in other words, subject filled in. */
  paraphrasePrompts: string[];
  /** The same question about other subjects, for which targetTrue holds and must go on to hold. */
  neighborhoodPrompts: string[];
  attributePrompts: string[];
  generationPrompts: string[];
}

/** A record of ZsRE: a question and its answer, and a question about something else (reference, section 12.2). */
export interface ZsreRecord extends Fact {
  kind: "zsre";
  /** The same question in other words. */
  paraphrasePrompts: string[];
  /** Questions about something else, and their true answers, which must not change. */
  neighborhood: { prompt: string; answer: string }[];
}

/** A fact that models are known to know, for causal tracing (reference, section 14). */
export interface KnownFact {
  knownId: number;
  /** A sentence start that names the subject; the attribute continues it. */
  prompt: string;
  subject: string;
  attribute: string;
  relationId?: string;
}
