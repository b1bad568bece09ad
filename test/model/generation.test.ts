import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { QueryList } from "../../src/evaluate/queries.js";
import { tidyGeneratedText } from "../../src/model/generated-text.js";
import { drawAll, drawTokens, type GenerationOptions } from "../../src/model/generation.js";
import { IncrementalDecoder } from "../../src/model/incremental-decoder.js";
import type { LanguageModel } from "../../src/model/language-model.js";
import { packTokens } from "../../src/model/token-batch.js";
import type { NativeGeneration, NativeModel } from "../../src/native/addon.js";
import { addon, call } from "../../src/native/index.js";
import { expectWithin, relativeError } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { tinyModel } from "../support/model.js";
import { FAMILIES } from "../support/official.js";

const PROMPTS = ["The capital of France is", "I", "The language of Ek Hi Bhool is"];

/** The continuation of every prompt. */
async function streamed(
  model: LanguageModel,
  options: GenerationOptions,
  prompts: readonly string[] = PROMPTS,
): Promise<string[]> {
  const texts = prompts.map(() => "");
  for await (const { prompt, text } of model.generateStream(prompts, options)) texts[prompt] += text;
  return texts;
}

/** The most probable token again and again, the whole text read anew each time: no cache. */
async function greedily(model: LanguageModel, prompt: string, maxLength: number): Promise<string> {
  const ids = model.encodePrompt(prompt);
  const begin = ids.length;
  while (ids.length < maxLength) {
    const batch = { tokens: Int32Array.from(ids), offsets: Int32Array.of(0, ids.length) };
    const logits = await call(() => model.native.logits(batch, Int32Array.of(ids.length - 1)));
    const values = await logits.toFloat32Array();
    logits.dispose();
    ids.push(values.indexOf(values.reduce((a, b) => Math.max(a, b))));
  }
  return model.tokenizer.decodeText(ids.slice(begin));
}

describe.each(FAMILIES)("a %s generates", (family) => {
  it("what it says is most probable, each prompt as if it were alone", async () => {
    const model = await tinyModel(family);
    const expected = await Promise.all(PROMPTS.map((prompt) => greedily(model, prompt, 24)));
    expect(await streamed(model, { maxLength: 24, topK: 1 })).toEqual(expected);
  });

  it("texts that begin with their prompts, the same for the same seed", async () => {
    const model = await tinyModel(family);
    const texts = await model.generate(PROMPTS, { maxLength: 30, seed: 7 });
    texts.forEach((text, i) => {
      expect(text.startsWith(PROMPTS[i]!)).toBe(true);
      expect(text.length).toBeGreaterThan(PROMPTS[i]!.length);
      expect(text).not.toContain("<|");
    });
    expect(await model.generate(PROMPTS, { maxLength: 30, seed: 7 })).toEqual(texts);
    expect(await model.generate(PROMPTS, { maxLength: 30, seed: 8 })).not.toEqual(texts);
  });

  it("piece by piece what it generates at once", async () => {
    const model = await tinyModel(family);
    const options = { maxLength: 40, topK: 50, seed: 3 };
    const pieces = await streamed(model, options);
    const whole = pieces.map((text, i) => tidyGeneratedText(PROMPTS[i]! + text));
    expect(whole).toEqual(await model.generate(PROMPTS, options));
  });

  it("nothing for prompts that are long enough, and for none", async () => {
    const model = await tinyModel(family);
    expect(await model.generate([], { maxLength: 20 })).toEqual([]);
    const short = model.encodePrompt(PROMPTS[1]!).length;
    expect(await model.generate(PROMPTS, { maxLength: short })).toEqual(PROMPTS);
    const texts = await streamed(model, { maxLength: short + 1 });
    expect(texts.map((text) => text !== "")).toEqual([false, true, false]);
  });
});

describe("a stream", () => {
  it("refuses what does not fit the model", async () => {
    const model = await tinyModel("tiny-gpt2");
    const first = (options: GenerationOptions) => model.generateStream(["a"], options).next();
    await expectRejection(first({ maxLength: 257 }), "ERR_TOO_LONG", "257", "256");
    await expectRejection(first({ maxLength: 9, topK: 0 }), "ERR_INVALID_ARGUMENT", "top-k");
    await expectRejection(model.generate(["word ".repeat(400)], { maxLength: 9 }), "ERR_TOO_LONG", "256");
  });

  it("stops when its signal fires, and the model goes on", async () => {
    const model = await tinyModel("tiny-llama");
    const stop = new AbortController();
    const stream = model.generateStream(PROMPTS, { maxLength: 256, signal: stop.signal });
    const pieces: string[] = [];
    const reading = (async () => {
      for await (const { text } of stream) if (pieces.push(text) === 5) stop.abort("enough");
    })();
    await expectRejection(reading, "ERR_ABORTED");
    expect(pieces.length).toBeLessThan(5 + PROMPTS.length);
    expect(await model.generate(["I"], { maxLength: 9 })).toHaveLength(1);
  });

  it("is freed when its loop is left", async () => {
    const model = await tinyModel("tiny-llama");
    const generations: NativeGeneration[] = [];
    const native = {
      beginGeneration(...args: Parameters<NativeModel["beginGeneration"]>) {
        const generation = model.native.beginGeneration(...args);
        generations.push(generation);
        return generation;
      },
    } as NativeModel;
    for await (const _ of drawTokens(native, [model.encodePrompt("I")], { maxLength: 256 })) break;
    expect(generations).toHaveLength(1);
    expect(() => generations[0]!.step()).toThrow("disposed of");
  });

  it("says so when the weights are damaged", async () => {
    const model = await tinyModel("tiny-llama");
    const [rows, cols] = [model.config.width, model.config.feedForwardWidth];
    const drift = addon().createMatrix(new Float64Array(rows * cols).fill(1e38), rows, cols);
    await call(() => model.native.setDrift(3, drift));
    await expectRejection(model.generate(["I"], { maxLength: 9 }), "ERR_NOT_FINITE", "weights");
  });
});

describe("a step", () => {
  it("that was cancelled changes nothing", async () => {
    const model = await tinyModel("tiny-gpt2");
    const begin = () => {
      const ids = model.encodePrompt(PROMPTS[0]!);
      const batch = { tokens: Int32Array.from(ids), offsets: Int32Array.of(0, ids.length) };
      return model.native.beginGeneration(batch, { lengths: Int32Array.of(20), topK: 20, seed: 5 });
    };
    const tokens = async (generation: NativeGeneration, cancelled: number) => {
      const drawn: number[] = [];
      for (let step = 0; drawn.length < 12; step++) {
        const cancellation = addon().createCancellation();
        if (step === cancelled) cancellation.cancel();
        const next = call(() => generation.step(cancellation));
        if (step === cancelled) await expectRejection(next, "ERR_ABORTED");
        else drawn.push((await next).tokens[0]!);
      }
      generation.dispose();
      return drawn;
    };
    const expected = await tokens(begin(), -1);
    expect(await tokens(begin(), 0)).toEqual(expected);
    expect(await tokens(begin(), 4)).toEqual(expected);
  });
});

describe.each(FAMILIES)("a generation of a %s", (family) => {
  const begin = (model: LanguageModel, sequences: number[][], lengths: number[]) =>
    model.native.beginGeneration(packTokens(sequences), { lengths: Int32Array.from(lengths), topK: 1, seed: 0 });

  it("gives every sequence its own length", async () => {
    const model = await tinyModel(family);
    const prompts = PROMPTS.map((prompt) => model.encodePrompt(prompt));
    const lengths = prompts.map(({ length }, i) => length + [3, 0, 5][i]!);
    const generation = begin(model, prompts, lengths);
    const texts = prompts.map((ids) => [...ids]);
    for await (const drawn of drawAll(generation))
      for (const { sequence, token } of drawn) texts[sequence]!.push(token);
    generation.dispose();
    expect(texts.map(({ length }) => length)).toEqual(lengths);
    for (const [i, ids] of texts.entries()) {
      const said = model.tokenizer.decodeText(ids.slice(prompts[i]!.length));
      expect(said).toBe(await greedily(model, PROMPTS[i]!, lengths[i]!));
    }
  });

  it("rates other texts behind its sequences as whole texts are scored, and draws what it would have drawn", async () => {
    const model = await tinyModel(family);
    const prompts = PROMPTS.map((prompt) => model.encodePrompt(prompt));
    const lengths = prompts.map(({ length }) => length + 4);
    const [undisturbed, generation] = [begin(model, prompts, lengths), begin(model, prompts, lengths)];
    const drawn: number[] = [];
    for await (const tokens of drawAll(undisturbed)) drawn.push(...tokens.map(({ token }) => token));

    const soFar = prompts.map((ids) => [...ids]);
    const rated = async () => {
      const after = [2, 0, 0, 1];
      const others = [[5], [6, 7, 8], [6], [900, 3]];
      const losses = await call(() => generation.rate(packTokens(others), Int32Array.from(after)));
      const queries = new QueryList();
      for (const [c, sequence] of after.entries()) queries.add(soFar[sequence]!, others[c]!);
      const { batch, rows, targets } = queries.pack();
      const scores = await call(() => model.native.score(batch, rows, targets));
      expectWithin(relativeError(losses, scores.losses), 1e-5);
    };
    await rated(); // before the prompts were read
    const again: number[] = [];
    for await (const tokens of drawAll(generation)) {
      again.push(...tokens.map(({ token }) => token));
      for (const { sequence, token } of tokens) soFar[sequence]!.push(token);
      if (again.length === 6) await rated();
    }
    expect(again).toEqual(drawn);
    undisturbed.dispose();
    generation.dispose();
  });

  it("refuses to rate what it cannot", async () => {
    const model = await tinyModel(family);
    const [long, short] = [new Array<number>(250).fill(5), [5, 6]];
    const generation = begin(model, [long, short], [254, 2]);
    const rate = (tokens: number[], after: number[]) =>
      call(() => generation.rate(packTokens([tokens]), Int32Array.from(after)));
    await expectRejection(rate([5, 5, 5, 5, 5, 5, 5], [0]), "ERR_INVALID_ARGUMENT", "257", "256");
    await expectRejection(rate([5], [1]), "ERR_INVALID_ARGUMENT", "Sequence 1", "2 tokens");
    await expectRejection(rate([5], [2]), "ERR_INVALID_ARGUMENT", "sequence 2");
    await expectRejection(rate([5], [-1]), "ERR_INVALID_ARGUMENT", "sequence -1");
    await expectRejection(rate([1000], [0]), "ERR_INVALID_ARGUMENT", "vocabulary");
    await expectRejection(rate([5], [0, 0]), "ERR_SHAPE", "2 sequences");
    expect(await rate([5, 5, 5, 5, 5, 5], [0])).toHaveLength(6);
    expect(() => begin(model, [short], [3, 3])).toThrow("2 lengths");
    expect(() => begin(model, [short], [-1])).toThrow("negative");
    generation.dispose();
  });
});

describe("an IncrementalDecoder", () => {
  it.each(FAMILIES)("tells the whole text of %s's ids, and only whole characters", async (family) => {
    const { tokenizer } = await tinyModel(family);
    const decode = (ids: readonly number[]) => tokenizer.decodeText(ids);
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 12 }), fc.string({ unit: "binary" }), (before, text) => {
        const [prompt, ids] = [tokenizer.encode(before), tokenizer.encodeTarget(text)];
        const decoder = new IncrementalDecoder(decode, prompt);
        const pieces = ids.map((id) => decoder.push(id));
        if (!text.includes("\uFFFD")) expect(pieces.join("")).not.toContain("\uFFFD");
        expect(pieces.join("") + decoder.end()).toBe(text);
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  it("tells bytes that are no character as the decoder of all ids does", async () => {
    const { tokenizer } = await tinyModel("tiny-llama");
    const decode = (ids: readonly number[]) => tokenizer.decodeText(ids);
    fc.assert(
      fc.property(fc.array(fc.nat(999), { minLength: 1, maxLength: 40 }), (ids) => {
        const decoder = new IncrementalDecoder(decode);
        const pieces = ids.map((id) => decoder.push(id));
        expect(pieces.join("") + decoder.end()).toBe(decode(ids));
      }),
      { seed: 4, numRuns: 500 },
    );
  });
});
