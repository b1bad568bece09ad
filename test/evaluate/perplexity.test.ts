import { describe, expect, it } from "vitest";
import { perplexity } from "../../src/evaluate/perplexity.js";
import { expectWithin } from "../support/close.js";
import { expectRejection } from "../support/errors.js";
import { tinyModel } from "../support/model.js";
import { officialJson } from "../support/official.js";

const text = () => officialJson<string[]>("tiny-gpt2", "statistics/texts.json").join("\n");

describe("perplexity", () => {
  it("is exp of the mean loss of each token after those before it in its window", async () => {
    const model = await tinyModel("tiny-gpt2");
    const [tokens, window] = [model.tokenizer.encode(text()).slice(0, 230), 20];
    let [sum, predicted] = [0, 0];
    for (let begin = 0; begin < tokens.length; begin += window) {
      const part = tokens.slice(begin, begin + window);
      const { logits } = await model.logits(model.tokenizer.decode(part));
      for (let j = 1; j < part.length; j++) {
        const row = [...logits.subarray((j - 1) * 1000, j * 1000)];
        const total = row.reduce((all, logit) => all + Math.exp(logit), 0);
        sum += Math.log(total) - row[part[j]!]!;
        predicted++;
      }
    }
    const found = await perplexity(model, text(), { tokens: 230, window });
    expect(found).toMatchObject({ predicted, window });
    expect(predicted).toBe(218);
    expectWithin(found.perplexity / Math.exp(sum / predicted) - 1, 1e-5);
  });

  it("reads whole texts where no limit is given", async () => {
    const model = await tinyModel("tiny-gpt2");
    const count = model.tokenizer.encode(text()).length;
    expect((await perplexity(model, text())).predicted).toBe(count - Math.ceil(count / 256));
  });

  it("refuses windows without positions, and texts without a second token", async () => {
    const model = await tinyModel("tiny-gpt2");
    await expectRejection(perplexity(model, text(), { window: 257 }), "ERR_INVALID_ARGUMENT", "256 positions");
    await expectRejection(perplexity(model, text(), { window: 1 }), "ERR_INVALID_ARGUMENT", "window");
    await expectRejection(perplexity(model, "a"), "ERR_INVALID_ARGUMENT", "one token");
    await expectRejection(perplexity(model, text(), { signal: AbortSignal.abort() }), "ERR_ABORTED");
  });
});
