import { packTokens } from "../model/token-batch.js";
import type { TokenBatch } from "../native/addon.js";

/** A batch and what is asked about it: the loss of `targets[j]` after token `rows[j]`, an index into the batch's tokens. */
export interface QueryBatch {
  batch: TokenBatch;
  rows: Int32Array;
  targets: Int32Array;
}

/** What native code has answered, an element for each question. */
export interface Answers {
  /** −log p of the target. */
  losses: Float32Array;
  /** The most probable token. */
  greedy: Int32Array;
  /** What was asked about. */
  targets: Int32Array;
}

/** Where the answers for one target stand: `count` of them from `first`. */
export interface AnswerSpan {
  first: number;
  count: number;
}

/**
 * Collects the questions "how probable is this target after this prompt?" for one call of native code. Sequences that are
 * equal are evaluated once: the two targets of a fact share theirs whenever they are one token long.
 */
export class QueryList {
  private readonly sequences = new Map<string, number[]>();
  private readonly questions: { sequence: string; position: number; target: number }[] = [];

  /** The positions that ask are those whose next token is one of the target's, from the prompt's last token on. */
  add(prompt: readonly number[], target: readonly number[]): AnswerSpan {
    const tokens = [...prompt, ...target.slice(0, -1)];
    const sequence = tokens.join(" ");
    this.sequences.set(sequence, tokens);
    const first = this.questions.length;
    target.forEach((token, i) => {
      this.questions.push({ sequence, position: prompt.length - 1 + i, target: token });
    });
    return { first, count: target.length };
  }

  /** Sequences in the order in which they were first asked about: a given list of questions gives one batch. */
  pack(): QueryBatch {
    const starts = new Map<string, number>();
    let start = 0;
    for (const [name, tokens] of this.sequences) {
      starts.set(name, start);
      start += tokens.length;
    }
    return {
      batch: packTokens([...this.sequences.values()]),
      rows: Int32Array.from(this.questions, ({ sequence, position }) => starts.get(sequence)! + position),
      targets: Int32Array.from(this.questions, ({ target }) => target),
    };
  }
}
