import { Turns } from "../base/yielding.js";
import type { KnownFact } from "../data/records.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { call } from "../native/index.js";
import { LegacyNormal } from "./normal.js";

/** How many times the spread of the subjects' embeddings their noise spreads. */
const TIMES_THE_SPREAD = 3;

/**
 * The standard deviation of the noise on a subject: three times that of all entries of the token embeddings of all subjects
 * (reference, section 14). A BOS that the tokenizer adds is none of theirs.
 *
 * @throws ERR_INVALID_ARGUMENT without facts
 */
export async function subjectNoise(
  model: LanguageModel,
  facts: readonly Pick<KnownFact, "subject">[],
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<number> {
  const turns = new Turns(signal);
  const tokens: number[] = [];
  for (const { subject } of facts) {
    await turns.next();
    tokens.push(...model.tokenizer.encodeTarget(subject));
  }
  if (tokens.length === 0) throw new LyaplockError("ERR_INVALID_ARGUMENT", "there are no facts to trace");
  return TIMES_THE_SPREAD * (await call(() => model.native.embeddingDeviation(Int32Array.from(tokens)), signal));
}

/** Noise of all copies of a prompt, drawn afresh for every prompt with one seed. */
export class SubjectNoise {
  private readonly drawn = new Map<number, Float32Array>();

  constructor(
    private readonly of: { deviation: number; samples: number; seed: number; width: number },
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** [copies * tokens, m]. */
  async draw(tokens: number): Promise<Float32Array> {
    const before = this.drawn.get(tokens);
    if (before !== undefined) return before;
    const { deviation, samples, seed, width } = this.of;
    const turns = new Turns(this.signal);
    const normal = new LegacyNormal(seed);
    const noise = new Float32Array(samples * tokens * width);
    for (let row = 0; row < samples * tokens; row++) {
      await turns.next();
      for (let j = row * width; j < (row + 1) * width; j++) noise[j] = deviation * normal.next();
    }
    this.drawn.set(tokens, noise);
    return noise;
  }
}
