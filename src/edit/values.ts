import { Turns } from "../base/yielding.js";
import type { Fact } from "../data/records.js";
import type { LanguageModel } from "../model/language-model.js";
import { packTokens } from "../model/token-batch.js";
import type { ValueOptions, ValuePrompts, ValueResult } from "../native/addon.js";
import { call } from "../native/index.js";
import type { ContextTemplates } from "./context-templates.js";
import type { Hyperparameters } from "./hyperparameters.js";
import { valuePrompts } from "./prompts.js";

/** The published code stops a fact there (reference, section 6). */
const STOP_LOSS = 0.05;

export interface OptimizeOptions {
  /** Whose output the value is: the block's (MEMIT and its descendants, the default) or its feed-forward part's (ROME). */
  place?: "block" | "feed-forward";
  /** Keep losses, gradients and deltas of every iteration. */
  trajectory?: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * The values z of a batch of facts: what the output of the last edited layer should be at the subject's last token for
 * the model to say the target (reference, section 6). All facts are optimised together, on the model as it stands.
 */
export async function optimizeValues(
  model: LanguageModel,
  facts: readonly Fact[],
  contexts: ContextTemplates,
  hyperparameters: Hyperparameters,
  { place = "block", trajectory = false, signal }: OptimizeOptions = {},
): Promise<ValueResult> {
  const prompts = await packValuePrompts(model, facts, contexts, signal);
  const options = { ...valueOptions(hyperparameters), place, trajectory };
  return call((cancellation) => model.native.optimizeValues(prompts, options, cancellation), signal);
}

/** As native code takes them, at the output of the last edited layer. */
export function valueOptions(hyperparameters: Hyperparameters): ValueOptions {
  const { layers, steps, learningRate, weightDecay, klFactor, clampNormFactor } = hyperparameters;
  const given = { steps, learningRate, weightDecay, klFactor, clampNormFactor };
  return { layer: layers.at(-1)!, place: "block", ...given, stopLoss: STOP_LOSS, trajectory: false };
}

/** All prompts of all facts in one batch: for each fact its rewriting prompts, the bare one first, then the KL prompt. */
async function packValuePrompts(
  model: LanguageModel,
  facts: readonly Fact[],
  contexts: ContextTemplates,
  signal?: AbortSignal,
): Promise<ValuePrompts> {
  const sequences: number[][] = [];
  const [owners, lookups, bare]: number[][] = [[], [], []];
  const [labelSequences, labelPositions, labelTokens]: number[][] = [[], [], []];
  const turns = new Turns(signal);
  for (const [i, fact] of facts.entries()) {
    await turns.next();
    const { rewriting, divergence, target } = valuePrompts(model.tokenizer, fact, contexts);
    bare!.push(sequences.length);
    for (const { tokens, lookup } of rewriting) {
      // No shift: the last target token is not in the text, so the last |target| positions predict the target.
      const first = tokens.length - target.length;
      for (const [j, token] of target.entries()) {
        labelSequences!.push(sequences.length);
        labelPositions!.push(first + j);
        labelTokens!.push(token);
      }
      sequences.push(tokens);
      owners!.push(i);
      lookups!.push(lookup);
    }
    sequences.push(divergence.tokens);
    owners!.push(i);
    lookups!.push(divergence.lookup);
  }
  return {
    batch: packTokens(sequences),
    facts: Int32Array.from(owners!),
    lookups: Int32Array.from(lookups!),
    labelSequences: Int32Array.from(labelSequences!),
    labelPositions: Int32Array.from(labelPositions!),
    labelTokens: Int32Array.from(labelTokens!),
    bare: Int32Array.from(bare!),
  };
}
