import { readFile } from "node:fs/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { knowledge } from "../../src/evaluate/knowledge.js";
import { builtinFiles, loadModel } from "../../src/model/index.js";
import type { LanguageModel } from "../../src/model/language-model.js";
import { expectRejection } from "../support/errors.js";
import { tinyModel } from "../support/model.js";

/** What the model says next, token by token, each found on its own. */
async function greedy(model: LanguageModel, prompt: string, count: number): Promise<string> {
  let text = prompt;
  for (let i = 0; i < count; i++) text += (await model.nextTokens(text, { top: 1 }))[0]!.text;
  return text.slice(prompt.length);
}

describe("knowledge", () => {
  it("is the share of facts whose every token is the most probable one", async () => {
    const model = await tinyModel("tiny-gpt2");
    const prompts = Array.from({ length: 70 }, (_, i) => `The river number ${i} flows to the`);
    const facts = await Promise.all(
      prompts.map(async (prompt, i) => {
        const said = await greedy(model, prompt, 2);
        // Every other one is wrong, in its last token only: after the right first one.
        const tokens = model.tokenizer.encodeTarget(said);
        const wrong = model.tokenizer.decode([...tokens.slice(0, -1), (tokens.at(-1)! + 1) % 900]);
        return { prompt, attribute: i % 2 === 0 ? said : wrong, relationId: i < 35 ? "first" : "second" };
      }),
    );
    const kept = facts.filter(({ attribute }) => attribute.startsWith(" "));
    expect(kept.length).toBeGreaterThan(64); // more than one call of native code
    const right = kept.filter(({ prompt }) => Number(/\d+/.exec(prompt)![0]) % 2 === 0);
    const found = await knowledge(model, kept);
    expect(found.accuracy.mean).toBeCloseTo((100 * right.length) / kept.length, 9);
    expect(found.accuracy.count).toBe(kept.length);
    const first = kept.filter(({ relationId }) => relationId === "first").length;
    expect(found.relations.first!.count).toBe(first);
    expect(found.relations.second!.count).toBe(kept.length - first);
  });

  it("is whole in the unedited atlas", async () => {
    const model = await loadModel("builtin:atlas");
    onTestFinished(() => model.dispose());
    const facts = JSON.parse(await readFile(builtinFiles("atlas").knowledge, "utf8"));
    const { accuracy } = await knowledge(model, facts);
    expect(accuracy).toEqual({ mean: 100, standardError: 0, count: 500 });
  });

  it("refuses to be asked nothing, or for nothing", async () => {
    const model = await tinyModel("tiny-gpt2");
    await expectRejection(knowledge(model, []), "ERR_INVALID_ARGUMENT", "no facts");
    const question = { prompt: "The sea is", attribute: "blue" };
    await expectRejection(knowledge(model, [question], { signal: AbortSignal.abort() }), "ERR_ABORTED");
  });
});
