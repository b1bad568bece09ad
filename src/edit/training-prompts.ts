import { Turns } from "../base/yielding.js";
import type { Fact } from "../data/records.js";
import { packTokens } from "../model/token-batch.js";
import type { Tokenizer } from "../model/tokenizer.js";
import type { TrainingPrompts } from "../native/addon.js";
import { fillPrompt, valuePrompts, withLeadingSpace } from "./prompts.js";

/** Which tokens fine-tuning trains: see `FineTuningOptions`. */
export const trainedTokens = ["each-token", "prompt-end"] as const;
export type TrainedTokens = (typeof trainedTokens)[number];

/** One sequence, and what is to be predicted where in it. */
interface Example {
  tokens: number[];
  labels: { position: number; token: number }[];
}

/**
 * What fine-tuning trains on, one sequence for each fact.
 *
 * @param miniBatch facts of one step: as published, the encoded targets of each are padded to one length.
 * @throws ERR_EMPTY_TARGET, ERR_SUBJECT_NOT_IN_PROMPT
 */
export async function packTrainingPrompts(
  tokenizer: Tokenizer,
  facts: readonly Fact[],
  tokens: TrainedTokens,
  miniBatch: number,
  signal?: AbortSignal,
): Promise<TrainingPrompts> {
  const turns = new Turns(signal);
  const examples: Example[] = [];
  for (const fact of facts) {
    await turns.next();
    examples.push(tokens === "each-token" ? eachToken(tokenizer, fact) : promptEnd(tokenizer, fact));
  }
  if (tokens === "prompt-end") {
    for (let begin = 0; begin < examples.length; begin += miniBatch) {
      padLabels(tokenizer, examples.slice(begin, begin + miniBatch));
    }
  }
  const labels = examples.flatMap(({ labels }, sequence) => labels.map((label) => ({ sequence, ...label })));
  return {
    batch: packTokens(examples.map((example) => example.tokens)),
    labelSequences: Int32Array.from(labels, ({ sequence }) => sequence),
    labelPositions: Int32Array.from(labels, ({ position }) => position),
    labelTokens: Int32Array.from(labels, ({ token }) => token),
  };
}

/** Prompt and target without its last token, as the bare prompt of a value is. */
function eachToken(tokenizer: Tokenizer, fact: Fact): Example {
  const { rewriting, target } = valuePrompts(tokenizer, fact, [["{}"]]);
  const { tokens } = rewriting[0]!;
  const first = tokens.length - target.length;
  return { tokens, labels: target.map((token, i) => ({ position: first + i, token })) };
}

/** All tokens of the encoded target, special ones too, at the last token of the prompt. */
function promptEnd(tokenizer: Tokenizer, fact: Fact): Example {
  valuePrompts(tokenizer, fact, [["{}"]]); // refuses what cannot be trained
  const tokens = tokenizer.encode(fillPrompt(fact.prompt, fact.subject));
  const target = tokenizer.encode(withLeadingSpace(fact.targetNew));
  return { tokens, labels: target.map((token) => ({ position: tokens.length - 1, token })) };
}

/** With end-of-text; then unknown tokens are left out, which for GPT-2 and GPT-J are the same. */
function padLabels(tokenizer: Tokenizer, examples: readonly Example[]): void {
  const { endOfTextId, unknownId } = tokenizer;
  const longest = Math.max(...examples.map(({ labels }) => labels.length));
  for (const example of examples) {
    const { position } = example.labels[0]!;
    while (endOfTextId !== undefined && example.labels.length < longest) {
      example.labels.push({ position, token: endOfTextId });
    }
    example.labels = example.labels.filter(({ token }) => token !== unknownId);
  }
}
