import { Turns } from "../base/yielding.js";
import type { Fact } from "../data/records.js";
import type { LanguageModel } from "../model/language-model.js";
import { packTokens } from "../model/token-batch.js";
import type { NativeKeyPass } from "../native/addon.js";
import { call } from "../native/index.js";
import type { ContextTemplates } from "./context-templates.js";
import { keyPrompts } from "./prompts.js";

/**
 * One way up through the edited layers for a batch of facts. A key is the mean over the groups of context templates of
 * the mean within each group (reference, section 7).
 */
export async function beginKeys(
  model: LanguageModel,
  facts: readonly Fact[],
  contexts: ContextTemplates,
  signal?: AbortSignal,
): Promise<NativeKeyPass> {
  const shares = contexts.flatMap((group) => group.map(() => 1 / (contexts.length * group.length)));
  const sequences: number[][] = [];
  const owners: number[] = [];
  const bare: number[] = [];
  const turns = new Turns(signal);
  for (const [i, fact] of facts.entries()) {
    await turns.next();
    bare.push(sequences.length);
    for (const { tokens } of keyPrompts(model.tokenizer, fact, contexts)) {
      sequences.push(tokens);
      owners.push(i);
    }
  }
  return call(() =>
    model.native.beginKeys({
      batch: packTokens(sequences),
      facts: Int32Array.from(owners),
      shares: Float32Array.from(owners, (_, sequence) => shares[sequence % shares.length]!),
      bare: Int32Array.from(bare),
    }),
  );
}
