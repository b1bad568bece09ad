// Every restoration against three plain runs that reuse nothing (test/support/plain-transformer.ts).

import path from "node:path";
import { describe, expect, it } from "vitest";
import type { KnownFact } from "../../src/data/records.js";
import { LyaplockError } from "../../src/errors.js";
import type { LanguageModel } from "../../src/model/language-model.js";
import { subjectNoise, type TracedFact, type TraceKind, trace, traceKinds } from "../../src/trace/index.js";
import { LegacyNormal } from "../../src/trace/normal.js";
import { traceLastSubjectToken } from "../../src/trace/trace.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES, officialPath } from "../support/official.js";
import { type Hooks, plainDistribution } from "../support/plain-transformer.js";
import { readTensors, type Tensor } from "../support/tensors.js";

const SAMPLES = 2;
/** More runs than go through together: they are cut within layers, elsewhere for one token than for all. */
const MANY_SAMPLES = 300;
const WINDOW = 4;
const NOISE = 0.5;

/** A subject in the middle, one of several tokens at the beginning, and one at the end. */
const PROMPTS = [
  { subject: "Toyota", prompt: "In Toyota, they" },
  { subject: "San Marino", prompt: "San Marino is in" },
  { subject: "Hindi", prompt: "The language Hindi" },
];

/** Facts whose attribute is what the model says. */
async function knownFacts(model: LanguageModel): Promise<KnownFact[]> {
  return Promise.all(
    PROMPTS.map(async (prompt, knownId) => {
      const [next] = await model.nextTokens(prompt.prompt, { top: 1 });
      return { ...prompt, knownId, attribute: next!.text };
    }),
  );
}

async function collect(facts: AsyncIterable<TracedFact>): Promise<TracedFact[]> {
  const all: TracedFact[] = [];
  for await (const fact of facts) all.push(fact);
  return all;
}

describe.each(FAMILIES)("tracing %s", (family) => {
  it("gives the scores of runs that reuse nothing", { timeout: 240_000 }, async () => {
    const model = await tinyModel(family);
    const weights = await readTensors(path.join(officialPath(family, "model"), "model.safetensors"));
    const facts = await knownFacts(model);
    const traced = await collect(trace(model, facts, { samples: SAMPLES, window: WINDOW, noise: NOISE, seed: 7 }));
    expect(traced.map(({ knownId }) => knownId)).toEqual(facts.map(({ knownId }) => knownId));

    for (const fact of traced) {
      const plain = plainTrace(model, weights, fact);
      expect(Math.abs(fact.high - plain.high)).toBeLessThan(1e-5);
      expect(Math.abs(fact.low - plain.low)).toBeLessThan(1e-5);
      for (const kind of traceKinds) {
        const [found, expected] = [fact.scores[kind]!.flat(), plain.scores(kind).flat()];
        expect(found.length).toBe(fact.tokens.length * model.config.layers);
        const effects = expected.map((score) => Math.abs(score - plain.low));
        const errors = found.map((score, i) => Math.abs(score - fact.low - (expected[i]! - plain.low)));
        expect(Math.max(...errors), `${kind} of "${fact.prompt}"`).toBeLessThan(1e-5);
        // Small probabilities would agree whatever was restored.
        expect(Math.max(...errors)).toBeLessThan(1e-2 * Math.max(...effects));
      }
    }
  });

  it("gives the same at the subject's last token alone", async () => {
    const model = await tinyModel(family);
    const facts = await knownFacts(model);
    const options = { samples: MANY_SAMPLES, window: WINDOW, noise: NOISE };
    const whole = await collect(trace(model, facts, options));
    const alone = await collect(traceLastSubjectToken(model, facts, options));
    for (const [i, { scores, subjectRange }] of whole.entries()) {
      for (const kind of traceKinds) {
        const expected = scores[kind]![subjectRange[1] - 1]!;
        alone[i]!.scores[kind]![0]!.forEach((score, layer) => {
          expect(Math.abs(score - expected[layer]!)).toBeLessThan(1e-5);
        });
      }
    }
  });
});

/** The three runs, from the beginning for every restoration. */
function plainTrace(
  { config, tokenizer }: LanguageModel,
  weights: ReadonlyMap<string, Tensor>,
  { tokens, subjectRange: [begin, end], answer }: TracedFact,
) {
  const clean: Record<TraceKind, Float64Array[][]> = { state: [], mlp: [], attention: [] };
  const keep = (kind: TraceKind) => (layer: number, rows: Float64Array[]) => {
    clean[kind][layer] = rows.map((row) => row.slice());
  };
  const distribution = plainDistribution(config, weights, tokens, {
    state: keep("state"),
    mlp: keep("mlp"),
    attention: keep("attention"),
  });
  const high = Math.max(...distribution);
  const target = distribution.indexOf(high);
  expect(tokenizer.decode([target])).toBe(answer);

  const normal = new LegacyNormal(7);
  const noise = Array.from({ length: SAMPLES }, () =>
    Array.from({ length: end - begin }, () => Float64Array.from({ length: config.width }, () => NOISE * normal.next())),
  );
  const corrupted = (restoring: Hooks) => {
    const found = noise.map(
      (copy) =>
        plainDistribution(config, weights, tokens, {
          ...restoring,
          embedded: (rows) => {
            for (let token = begin; token < end; token++) {
              rows[token] = rows[token]!.map((value, j) => value + copy[token - begin]![j]!);
            }
          },
        })[target]!,
    );
    return found.reduce((a, b) => a + b, 0) / SAMPLES;
  };
  const scores = (kind: TraceKind) =>
    tokens.map((_, token) =>
      Array.from({ length: config.layers }, (_, layer) => {
        const [first, last] =
          kind === "state"
            ? [layer, layer + 1]
            : [Math.max(0, layer - WINDOW / 2), Math.min(config.layers, layer + WINDOW / 2)];
        return corrupted({
          [kind]: (at: number, rows: Float64Array[]) => {
            if (at >= first && at < last) rows[token]!.set(clean[kind][at]![token]!);
          },
        });
      }),
    );
  return { high, low: corrupted({}), scores };
}

describe("tracing", () => {
  it("passes over what the model does not know, and stops at the limit", async () => {
    const model = await tinyModel("tiny-gpt2");
    const facts = await knownFacts(model);
    const unknown = { ...facts[0]!, knownId: 8, attribute: "nothing that a token could be" };
    const long = { ...facts[0]!, knownId: 9, prompt: `Toyota ${"long ".repeat(400)}` };
    const skipped: [number, string][] = [];
    const onSkip = ({ fact, reason }: { fact: KnownFact; reason: string }) => skipped.push([fact.knownId, reason]);
    const traced = await collect(
      trace(model, [unknown, long, ...facts], { samples: 1, kinds: ["mlp"], limit: 2, onSkip }),
    );
    expect(traced.map(({ knownId }) => knownId)).toEqual([0, 1]);
    expect(skipped.sort()).toEqual([
      [8, "unknown"],
      [9, "unusable"],
    ]);
    expect(Object.keys(traced[0]!.scores)).toEqual(["mlp"]);
    expect(traced[0]!.tokenTexts.join("")).toBe(facts[0]!.prompt);
  });

  it("takes three times the spread of the subjects' embeddings for noise", async () => {
    const model = await tinyModel("tiny-gpt2");
    const weights = await readTensors(path.join(officialPath("tiny-gpt2", "model"), "model.safetensors"));
    const { cols, values } = weights.get("transformer.wte.weight")!;
    const entries = PROMPTS.flatMap(({ subject }) => model.tokenizer.encode(subject)).flatMap((token) => [
      ...values.subarray(token * cols, (token + 1) * cols),
    ]);
    const mean = entries.reduce((a, b) => a + b, 0) / entries.length;
    const squares = entries.reduce((sum, entry) => sum + (entry - mean) ** 2, 0);
    const expected = 3 * Math.sqrt(squares / (entries.length - 1));
    expect(Math.abs((await subjectNoise(model, PROMPTS)) / expected - 1)).toBeLessThan(1e-6);
    const [traced] = await collect(trace(model, await knownFacts(model), { samples: 1, kinds: [], limit: 1 }));
    expect(traced!.noise).toBe(await subjectNoise(model, PROMPTS));
  });

  it.each([[{ samples: 0 }], [{ window: 1 }], [{ seed: -1 }], [{ noise: Number.NaN }]])(
    "refuses %j",
    async (options) => {
      const model = await tinyModel("tiny-gpt2");
      await expect(collect(trace(model, await knownFacts(model), options))).rejects.toThrow(LyaplockError);
    },
  );

  it("refuses an empty list, and stops when asked to", async () => {
    const model = await tinyModel("tiny-gpt2");
    await expect(collect(trace(model, []))).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    const signal = AbortSignal.abort();
    await expect(collect(trace(model, await knownFacts(model), { signal }))).rejects.toMatchObject({
      code: "ERR_ABORTED",
    });
  });
});
