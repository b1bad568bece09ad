import type { KnownFact } from "../data/records.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import type { TraceKind } from "../native/addon.js";
import { call } from "../native/index.js";
import { type KnownPrompt, knownPrompts, type SkippedTrace } from "./known-answers.js";
import { SubjectNoise, subjectNoise } from "./noise.js";
import { tokenTexts } from "./subject-range.js";

/** What can be restored: hidden states, and what MLPs and attention add to them. */
export const traceKinds = ["state", "mlp", "attention"] as const satisfies readonly TraceKind[];

export interface TraceOptions {
  /** Default: all. */
  kinds?: readonly TraceKind[] | undefined;
  /** Facts to trace, of those that the model knows. Default: all. */
  limit?: number | undefined;
  /** Standard deviation of the noise on the subject's token embeddings. Default: that of `subjectNoise` for these facts. */
  noise?: number | undefined;
  /** Corrupted copies of each prompt. Default 10. */
  samples?: number | undefined;
  /** Of the noise, from 0 to 2³² − 1: the same for every fact. Default 1. */
  seed?: number | undefined;
  /** Layers in which outputs of MLP or attention are restored together, from 2. Default: that of `defaultWindow`. */
  window?: number | undefined;
  /** Told of every fact that is not traced, and why. */
  onSkip?(skip: SkippedTrace): void;
  signal?: AbortSignal | undefined;
}

/** How much of an answer each restoration brings back. All numbers are probabilities of the answer. */
export interface TracedFact {
  knownId: number;
  prompt: string;
  subject: string;
  /** The model's answer, a token. */
  answer: string;
  tokens: number[];
  tokenTexts: string[];
  /** Tokens of the subject, [begin, end). */
  subjectRange: [begin: number, end: number];
  /** Clean, and the mean over the corrupted copies; their difference is the total effect. */
  high: number;
  low: number;
  /** Standard deviation of the noise, and layers in a window. */
  noise: number;
  window: number;
  /** Means over the copies, [tokens][layers], with one thing restored; less `low` it is the indirect effect. */
  scores: Partial<Record<TraceKind, number[][]>>;
}

/**
 * Causal tracing (Meng et al. 2022; reference, section 14): noise on the subject takes an answer away, and what brings it back
 * when it is restored to what the clean run computed carried the fact. Yields each fact that the model knows as it is traced.
 *
 * Restored are, at every token and layer, the block's output ("state"), or the outputs of MLP or attention in a window of
 * layers around it.
 *
 * @throws ERR_INVALID_ARGUMENT without facts, or for an option that cannot be; ERR_ABORTED
 *
 * @example
 * for await (const fact of trace(model, facts, { kinds: ["mlp"], limit: 20 })) console.log(fact.answer, fact.high, fact.low);
 */
export async function* trace(
  model: LanguageModel,
  facts: readonly KnownFact[],
  options: TraceOptions = {},
): AsyncGenerator<TracedFact> {
  yield* traceAt(model, facts, ({ tokens }) => [0, tokens.length], options);
}

/** The same at the subject's last token alone, the only row of its scores: a fraction of the work. */
export async function* traceLastSubjectToken(
  model: LanguageModel,
  facts: readonly KnownFact[],
  options: TraceOptions = {},
): AsyncGenerator<TracedFact> {
  yield* traceAt(model, facts, ({ subject: [, end] }) => [end - 1, end], options);
}

/** Ten layers, as published for models of 28 layers and more; in a shallow model half of them, lest a window be all of it. */
export function defaultWindow(layers: number): number {
  return Math.min(10, Math.max(2, 2 * Math.floor(layers / 4)));
}

async function* traceAt(
  model: LanguageModel,
  facts: readonly KnownFact[],
  place: (prompt: KnownPrompt) => [begin: number, end: number],
  options: TraceOptions,
): AsyncGenerator<TracedFact> {
  const { kinds = traceKinds, limit = Infinity, samples = 10, seed = 1, onSkip, signal } = options;
  const window = options.window ?? defaultWindow(model.config.layers);
  check({ samples, seed, window, noise: options.noise });
  const deviation = options.noise ?? (await subjectNoise(model, facts, { signal }));
  const noise = new SubjectNoise({ deviation, samples, seed, width: model.config.width }, signal);
  let traced = 0;
  if (limit <= 0) return;
  for await (const prompt of knownPrompts(model, facts, onSkip, signal)) {
    const { fact, tokens, subject, answer, answerText } = prompt;
    const [begin, end] = place(prompt);
    const [subjectBegin, subjectEnd] = subject;
    const native = {
      ...{ tokens: Int32Array.from(tokens), subjectBegin, subjectEnd, answer },
      noise: await noise.draw(subjectEnd - subjectBegin),
    };
    const { high, low, scores } = await call(
      (cancellation) => model.native.trace(native, { kinds, window, begin, end }, cancellation),
      signal,
    );
    if (![high, low, ...scores.flatMap((some) => [...some])].every(Number.isFinite)) {
      const what = `the model's probabilities of "${fact.prompt}" are not numbers; its weights may be damaged`;
      throw new LyaplockError("ERR_NOT_FINITE", what);
    }
    yield {
      ...{ knownId: fact.knownId, prompt: fact.prompt, subject: fact.subject, answer: answerText },
      ...{ tokens, tokenTexts: tokenTexts(model.tokenizer, tokens), subjectRange: subject },
      ...{ high, low, noise: deviation, window },
      scores: Object.fromEntries(kinds.map((kind, i) => [kind, rowsOf(scores[i]!, end - begin)])),
    };
    if (++traced >= limit) return;
  }
}

function check(options: { samples: number; seed: number; window: number; noise: number | undefined }): void {
  const { samples, seed, window, noise } = options;
  const refuse = (what: string) => {
    throw new LyaplockError("ERR_INVALID_ARGUMENT", what);
  };
  if (!(Number.isInteger(samples) && samples >= 1)) refuse(`there must be one copy or more; received ${samples}`);
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
    refuse(`the seed must be a whole number from 0 to 2³² − 1; received ${seed}`);
  }
  if (!(Number.isInteger(window) && window >= 2)) refuse(`a window must have two layers or more; received ${window}`);
  if (noise !== undefined && !(noise >= 0 && Number.isFinite(noise))) {
    refuse(`the noise must be a standard deviation, 0 or more; received ${noise}`);
  }
}

function rowsOf(values: Float32Array, rows: number): number[][] {
  const cols = values.length / rows;
  return Array.from({ length: rows }, (_, i) => [...values.subarray(i * cols, (i + 1) * cols)]);
}
