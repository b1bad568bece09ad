import type { Fact } from "../../data/records.js";
import { LyaplockError } from "../../errors.js";
import type { NativeKeySpace, NativeMatrix } from "../../native/addon.js";
import { addon, call } from "../../native/index.js";
import type { BatchReport, LayerReport } from "../report.js";
import { packTrainingPrompts, type TrainedTokens, trainedTokens } from "../training-prompts.js";
import { laps } from "./laps.js";
import { layerContext } from "./layer-by-layer.js";
import type { LayerContext } from "./layer-method.js";
import type { BatchOptions, EditingMethod, Matrices, MethodAtWork, PlainData } from "./method.js";
import { onlyLayer } from "./only-layer.js";
import { ConstantWeight } from "./weighing.js";

/** As published: facts of one step, and the loss under which there is none. */
const MINI_BATCH = 64;
const STOP_LOSS = 0.01;

export interface FineTuningOptions {
  /**
   * Which tokens are trained. "each-token" (the default): every token of the target, after the prompt and the tokens before it.
   * "prompt-end", as the published code does: all of them as the one next token of the prompt, and for LLaMA also the BOS in front
   * of the encoded target and the padding behind it (reference, Q9).
   */
  tokens?: TrainedTokens | undefined;
}

/**
 * FT: fine-tuning of one layer's down-projection, weight and bias, with Adam, anew for each batch of facts: up to 25 epochs in
 * mini-batches of 64, until their mean loss is under 0.01. With a norm constraint ε no element moves farther than ε in a batch.
 * Nothing is remembered, and nothing bounds the sum of the changes.
 *
 * Published with a learning rate of 5e-4, at layer 1, 21 and 21 of GPT2-XL, GPT-J and LLaMA-3 without a constraint, at layer 0 of
 * GPT2-XL and GPT-J with ε = 5e-4 and 5e-5.
 *
 * @see reference, sections 2.3 and 10.6
 */
export function fineTuning({ tokens = "each-token" }: FineTuningOptions = {}): EditingMethod {
  if (!trainedTokens.includes(tokens)) {
    const known = trainedTokens.join(" or ");
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `ft trains the tokens ${known}; received "${tokens}"`);
  }
  return {
    name: "ft",
    options: { tokens },
    sampleContextTemplates: async () => [["{}"]], // it uses none
    begin: async (context) => {
      const layer = layerContext(context, onlyLayer(context.hyperparameters, "ft"));
      return new FineTuning(layer, tokens, await layer.keySpace());
    },
  };
}

class FineTuning implements MethodAtWork {
  readonly layers: readonly number[];
  private weighing = new ConstantWeight(0);

  constructor(
    private readonly context: LayerContext,
    private readonly tokens: TrainedTokens,
    private readonly keySpace: NativeKeySpace,
  ) {
    this.layers = [context.layer];
  }

  async editBatch(
    facts: readonly Fact[],
    { signal, onProgress, changing }: BatchOptions,
  ): Promise<Pick<BatchReport, "layers" | "values" | "seconds">> {
    const { layer, model } = this.context;
    const { steps, learningRate, weightDecay, normConstraint } = this.context.hyperparameters;
    const lap = laps();
    onProgress?.({ phase: "update", layer, facts: 0, of: facts.length });
    const prompts = await packTrainingPrompts(model.tokenizer, facts, this.tokens, MINI_BATCH, signal);
    const options = { layer, epochs: steps, batchSize: MINI_BATCH, learningRate, weightDecay, normConstraint };
    await changing();
    const weight = await call(() => model.native.weight(layer));
    const bias = await call(() => model.native.bias(layer));
    try {
      const done = await call(
        (cancellation) => model.native.fineTune(prompts, { ...options, stopLoss: STOP_LOSS }, cancellation),
        signal,
      );
      const report = await this.report(weight);
      onProgress?.({ phase: "update", layer, facts: facts.length, of: facts.length });
      const values = facts.map(({ caseId }, i) => ({ caseId, iterations: done.epochs, loss: done.factLosses[i]! }));
      return { layers: [report], values, seconds: { values: 0, keys: 0, updates: lap() } };
    } catch (error) {
      if (bias !== null) await call(() => model.native.setBias(layer, bias)); // the editor knows of weights alone
      throw error;
    } finally {
      weight.dispose();
      bias?.dispose();
    }
  }

  /** None: a weight is all that there is, in float32. */
  async drifts(): Promise<Map<number, NativeMatrix>> {
    return new Map();
  }

  async state(): Promise<PlainData> {
    return this.weighing.state();
  }

  async ledgerRows(): Promise<Matrices> {
    return {};
  }

  async matrices(): Promise<Matrices> {
    const bias = await call(() => this.context.model.native.bias(this.context.layer));
    return bias === null ? {} : { bias };
  }

  async restore(state: PlainData, { bias }: Matrices): Promise<void> {
    this.weighing = this.weighing.restored(state);
    if (bias !== undefined) await call(() => this.context.model.native.setBias(this.context.layer, bias));
  }

  async replay(): Promise<void> {}

  dispose(): void {
    this.keySpace.dispose();
  }

  private async report(before: NativeMatrix): Promise<LayerReport> {
    const { layer, model } = this.context;
    const weight = await call(() => model.native.weight(layer));
    const original = await call(() => model.native.originalWeight(layer));
    const change = await call(() => addon().addScaled(weight, -1, before));
    const drift = await call(() => addon().addScaled(weight, -1, original));
    const updateNorm = await call(() => addon().norm(change));
    const preservationLoss = await call(() => this.keySpace.driftLoss(drift));
    for (const matrix of [weight, original, change, drift]) matrix.dispose();
    this.weighing = this.weighing.after(preservationLoss);
    const figures = { weight: null, updateNorm, residualNorm: null, solveResidual: null, form: null };
    return { layer, preservationLoss, ...this.weighing.figures, ...figures };
  }
}
