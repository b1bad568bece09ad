import { drawAll } from "../../model/generation.js";
import type { LanguageModel } from "../../model/language-model.js";
import { packTokens } from "../../model/token-batch.js";
import { call } from "../../native/index.js";

/** What a model says after a prompt, and how probable other answers are to it. */
export interface Answer {
  /** Most probable tokens, one after the other. */
  generated: number[];
  /** Of each candidate, the mean of -log p over its tokens. */
  losses: number[];
}

/** Tokens of one call of native code, prompts and what is generated: enough for whole matrices, little memory. */
const TOKENS_AT_ONCE = 4096;

/**
 * Asks every prompt: `newTokens` tokens are generated, greedily, and every candidate is rated behind it. A prompt is read once
 * for all of this. Prompts of like length are read together; the same prompts on the same model give the same bits.
 *
 * @param prompts Tokens, with positions left for what follows.
 * @throws ERR_ABORTED; ERR_NOT_FINITE for damaged weights
 */
export async function answersTo(
  model: LanguageModel,
  prompts: readonly (readonly number[])[],
  candidates: readonly (readonly number[])[],
  { newTokens, signal, onProgress }: { newTokens: number; signal?: AbortSignal; onProgress?(answered: number): void },
): Promise<Answer[]> {
  const answers: Answer[] = new Array(prompts.length);
  let answered = 0;
  for (const group of groupsOfLikeLength(prompts, newTokens)) {
    const asked = group.map((index) => prompts[index]!);
    const found = await answersTogether(model, asked, candidates, newTokens, signal);
    group.forEach((index, i) => {
      answers[index] = found[i]!;
    });
    answered += group.length;
    onProgress?.(answered);
  }
  return answers;
}

/** Indices of prompts, shortest first, in groups that native code takes at once. */
function groupsOfLikeLength(prompts: readonly (readonly number[])[], newTokens: number): number[][] {
  const order = [...prompts.keys()].sort((a, b) => prompts[a]!.length - prompts[b]!.length || a - b);
  const groups: number[][] = [];
  let room = 0;
  for (const index of order) {
    const tokens = prompts[index]!.length + newTokens;
    if (groups.length === 0 || tokens > room) {
      groups.push([]);
      room = TOKENS_AT_ONCE;
    }
    groups.at(-1)!.push(index);
    room -= tokens;
  }
  return groups;
}

async function answersTogether(
  model: LanguageModel,
  prompts: readonly (readonly number[])[],
  candidates: readonly (readonly number[])[],
  newTokens: number,
  signal?: AbortSignal,
): Promise<Answer[]> {
  const lengths = Int32Array.from(prompts, (prompt) => prompt.length + newTokens);
  const options = { lengths, topK: 1, seed: 0 };
  const generation = await call(() => model.native.beginGeneration(packTokens(prompts), options), signal);
  try {
    const after = Int32Array.from(prompts.flatMap((_, i) => candidates.map(() => i)));
    const continuations = packTokens(prompts.flatMap(() => candidates));
    const losses = await call((cancellation) => generation.rate(continuations, after, cancellation), signal);
    const generated: number[][] = prompts.map(() => []);
    for await (const drawn of drawAll(generation, signal)) {
      for (const { sequence, token } of drawn) generated[sequence]!.push(token);
    }
    let next = 0;
    const meanOfNext = (count: number) => {
      const part = losses.subarray(next, next + count);
      next += count;
      return part.reduce((sum, loss) => sum + loss, 0) / count;
    };
    return generated.map((tokens) => ({
      generated: tokens,
      losses: candidates.map(({ length }) => meanOfNext(length)),
    }));
  } finally {
    generation.dispose();
  }
}
