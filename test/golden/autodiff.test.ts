// The backward pass against TensorFlow.js, which derives the gradient of a plain forward pass by itself.

import * as tf from "@tensorflow/tfjs";
import { describe, expect, it } from "vitest";
import { valuePrompts } from "../../src/edit/prompts.js";
import { optimizeValues } from "../../src/edit/values.js";
import { expectWithin, relativeError } from "../support/close.js";
import { fixtureRun } from "../support/fixture-run.js";
import { tinyModel } from "../support/model.js";
import { officialPath } from "../support/official.js";
import { readTensors } from "../support/tensors.js";
import { logitsInTensorflow } from "../support/tfjs-llama.js";

describe("the gradient to a value", () => {
  it.each([0, 2, 4])("is what TensorFlow.js derives, at layer %i", async (layer) => {
    await tf.setBackend("cpu");
    const model = await tinyModel("tiny-llama");
    const weights = await readTensors(officialPath("tiny-llama", "model", "model.safetensors"));
    const { facts, contextTemplates, hyperparameters } = fixtureRun("tiny-llama");
    const fact = facts[1]!;
    const changes = { layers: [layer], steps: 2, weightDecay: 0, klFactor: 0 };
    const options = { ...hyperparameters, ...changes };
    const found = await optimizeValues(model, [fact], contextTemplates, options, { trajectory: true });

    const { rewriting, target } = valuePrompts(model.tokenizer, fact, contextTemplates);
    const lossOf = ({ tokens, lookup }: (typeof rewriting)[number], delta: tf.Tensor): tf.Scalar => {
      const here = tf.oneHot(tf.tensor1d([lookup], "int32"), tokens.length).transpose();
      const logits = logitsInTensorflow(model.config, weights, tokens, (at, x) =>
        at === layer ? x.add(here.mul(delta)) : x,
      );
      const read = logits.slice([tokens.length - target.length, 0], [target.length, model.config.vocabulary]);
      const labels = tf.oneHot(tf.tensor1d(target, "int32"), model.config.vocabulary);
      return tf.losses.softmaxCrossEntropy(labels, read) as tf.Scalar;
    };
    const loss = (delta: tf.Tensor) =>
      tf.addN(rewriting.map((prompt) => lossOf(prompt, delta))).div(rewriting.length) as tf.Scalar;
    const { value, grad } = tf.valueAndGrad(loss)(tf.zeros([1, model.config.width]));

    const { losses, gradients } = found.trajectories![0]!;
    expectWithin(losses[0]! / (await value.data())[0]! - 1, 1e-5);
    expectWithin(relativeError(gradients, await grad.data()), 1e-4);
    expect(rewriting.length).toBeGreaterThan(1);
  });
});
