import { packTokens } from "../model/token-batch.js";
import type { KeyPrompts, ValuePrompts } from "../native/addon.js";

/** How many tokens the prompts of facts have, on average. */
export interface PromptLengths {
  /** Before the subject's last token, in the bare prompt; how many more in a sampled context. */
  before: number;
  context: number;
  /** After it, to the prompt's end. */
  after: number;
  target: number;
  subject: number;
}

/**
 * Of the first 1,000 records of the 10,000-record CounterFact file and templates that SmolLM2 samples with seed 42, in its tokens,
 * a byte-level BPE of 49,152 as GPT-2's of 50,257 is:
 * node bench/prompt-lengths.mjs smollm2-135m counterfact:counterfact-10k.json
 */
export const counterfactLengths: PromptLengths = {
  before: 4.1,
  context: 10.65,
  after: 3.08,
  target: 1.15,
  subject: 4.49,
};

/** Templates of the MEMIT family: the bare prompt and five sampled ones (reference, section 4). */
const CONTEXTS = 5;

/** The prompts on which so many facts' values and keys are found, as long as they are on average; of what tokens, is all the same. */
export function plannedPrompts(
  facts: number,
  lengths: PromptLengths,
): { valuePrompts: ValuePrompts; keyPrompts: KeyPrompts } {
  const values = { sequences: [] as number[][], facts: [] as number[], lookups: [] as number[], bare: [] as number[] };
  const keys = { sequences: [] as number[][], facts: [] as number[], shares: [] as number[], bare: [] as number[] };
  const labels = { sequences: [] as number[], positions: [] as number[] };
  const addValues = (fact: number, lookup: number, after: number) => {
    values.sequences.push(tokens(lookup + 1 + after));
    values.facts.push(fact);
    values.lookups.push(lookup);
  };
  const next = {
    before: wholeNumbers(lengths.before),
    context: wholeNumbers(lengths.context),
    after: wholeNumbers(lengths.after),
    target: wholeNumbers(lengths.target),
    subject: wholeNumbers(lengths.subject),
  };
  for (let fact = 0; fact < facts; fact++) {
    const [before, after, target] = [next.before(), next.after(), Math.max(1, next.target())];
    values.bare.push(values.sequences.length);
    keys.bare.push(keys.sequences.length);
    for (let context = 0; context <= CONTEXTS; context++) {
      const lookup = before + (context === 0 ? 0 : next.context());
      // The last target token is not in the text, and each is predicted from the one before it.
      const last = lookup + after + target - 1;
      for (let i = 0; i < target; i++) {
        labels.sequences.push(values.sequences.length);
        labels.positions.push(last - target + 1 + i);
      }
      addValues(fact, lookup, after + target - 1);
      keys.sequences.push(tokens(lookup + 1));
      keys.facts.push(fact);
      keys.shares.push(context === 0 ? 1 / 2 : 1 / (2 * CONTEXTS));
    }
    addValues(fact, Math.max(1, next.subject()) - 1, KL_TOKENS);
  }
  return {
    valuePrompts: {
      batch: packTokens(values.sequences),
      facts: Int32Array.from(values.facts),
      lookups: Int32Array.from(values.lookups),
      labelSequences: Int32Array.from(labels.sequences),
      labelPositions: Int32Array.from(labels.positions),
      labelTokens: new Int32Array(labels.positions.length),
      bare: Int32Array.from(values.bare),
    },
    keyPrompts: {
      batch: packTokens(keys.sequences),
      facts: Int32Array.from(keys.facts),
      shares: Float32Array.from(keys.shares),
      bare: Int32Array.from(keys.bare),
    },
  };
}

/** Of " is a", after the subject. */
const KL_TOKENS = 2;

const tokens = (count: number): number[] => Array(count).fill(0);

/** Whole numbers whose mean is `mean`. */
function wholeNumbers(mean: number): () => number {
  let calls = 0;
  return () => {
    calls += 1;
    return Math.floor(calls * mean) - Math.floor((calls - 1) * mean);
  };
}
