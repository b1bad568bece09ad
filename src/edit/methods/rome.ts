import type { Fact } from "../../data/records.js";
import type { NativeKeySpace, NativeMatrix } from "../../native/addon.js";
import { addon, call } from "../../native/index.js";
import { generateFlatContextTemplates } from "../context-templates.js";
import { beginKeys } from "../keys.js";
import type { BatchReport, LayerReport, ValueReport } from "../report.js";
import { optimizeValues } from "../values.js";
import { copyOf } from "./copy.js";
import { laps } from "./laps.js";
import { layerContext } from "./layer-by-layer.js";
import type { LayerContext } from "./layer-method.js";
import type { BatchOptions, EditingMethod, Matrices, MethodAtWork, MethodContext, PlainData } from "./method.js";
import { onlyLayer } from "./only-layer.js";
import { ConstantWeight } from "./weighing.js";

/**
 * ROME: one layer, and one fact after the other, each by the rank-one update ΔW = r uᵀ / (kᵀu) along u = C⁻¹k̄ that makes the
 * layer's feed-forward part say v* at the subject's last token; k̄ is the mean key over context templates, all of one weight. The
 * facts of a batch see each other, in their order. (The published LyapLock runner edits only the first fact of each batch;
 * reference, Q2.) Nothing is remembered, and nothing bounds the sum of the updates.
 *
 * Published with layer 17, 5 and 5 for GPT2-XL, GPT-J and LLaMA-3, ‖δ‖ ≤ 4 ‖h0‖, and 21 templates that are sampled here.
 *
 * @see "Locating and Editing Factual Associations in GPT", section 3.1; reference, section 10.7
 */
export function rome(): EditingMethod {
  return {
    name: "rome",
    options: {},
    sampleContextTemplates: generateFlatContextTemplates,
    begin: async (context) => {
      const layer = layerContext(context, onlyLayer(context.hyperparameters, "rome"));
      const keySpace = await layer.keySpace();
      try {
        const { width, feedForwardWidth } = context.model.config;
        const drift = await call(() => addon().allocateMatrix(width, feedForwardWidth, "float64"));
        return new Rome(layer, [context.contextTemplates.flat()], keySpace, drift);
      } catch (error) {
        keySpace.dispose();
        throw error;
      }
    },
  };
}

class Rome implements MethodAtWork {
  readonly layers: readonly number[];
  private weighing = new ConstantWeight(0);

  constructor(
    private readonly context: LayerContext,
    private readonly contextTemplates: MethodContext["contextTemplates"],
    private readonly keySpace: NativeKeySpace,
    private drift: NativeMatrix,
  ) {
    this.layers = [context.layer];
  }

  async editBatch(
    facts: readonly Fact[],
    { signal, onProgress, changing }: BatchOptions,
  ): Promise<Pick<BatchReport, "layers" | "values" | "seconds">> {
    const { layer, model } = this.context;
    const seconds = { values: 0, keys: 0, updates: 0 };
    const values: ValueReport[] = [];
    const before = this.drift;
    let residualSquares = 0;
    try {
      for (const [i, fact] of facts.entries()) {
        onProgress?.({ phase: "values", facts: i, of: facts.length });
        const { update, residualNorm, value } = await this.solve(fact, seconds, signal);
        const lap = laps();
        if (i === 0) await changing();
        const drift = await call(() => addon().addScaled(this.drift, 1, update));
        update.dispose();
        if (this.drift !== before) this.drift.dispose();
        this.drift = drift;
        await call(() => model.native.setDrift(layer, drift));
        values.push(value);
        residualSquares += residualNorm ** 2;
        seconds.updates += lap();
      }
      onProgress?.({ phase: "values", facts: facts.length, of: facts.length });
      const lap = laps();
      const report = await this.report(before, Math.sqrt(residualSquares));
      seconds.updates += lap();
      return { layers: [report], values, seconds };
    } finally {
      if (this.drift !== before) before.dispose();
    }
  }

  async drifts(): Promise<Map<number, NativeMatrix>> {
    return new Map([[this.context.layer, await copyOf(this.drift)]]);
  }

  async state(): Promise<PlainData> {
    return this.weighing.state();
  }

  async ledgerRows(): Promise<Matrices> {
    return {};
  }

  async matrices(): Promise<Matrices> {
    return { drift: await copyOf(this.drift) };
  }

  async restore(state: PlainData, { drift }: Matrices): Promise<void> {
    this.weighing = this.weighing.restored(state);
    const restored = await copyOf(drift!);
    this.drift.dispose();
    this.drift = restored;
  }

  async replay(): Promise<void> {}

  dispose(): void {
    this.drift.dispose();
    this.keySpace.dispose();
  }

  /** The update of one fact on the model as it stands. */
  private async solve(
    fact: Fact,
    seconds: { values: number; keys: number; updates: number },
    signal?: AbortSignal,
  ): Promise<{ update: NativeMatrix; residualNorm: number; value: ValueReport }> {
    const { hyperparameters, model } = this.context;
    const lap = laps();
    const place = "feed-forward";
    const options = { place, signal } as const;
    const found = await optimizeValues(model, [fact], this.contextTemplates, hyperparameters, options);
    seconds.values += lap();
    // v* − o: without its update, the layer gives the value that the optimisation began with.
    const residual = await call(() => addon().residuals(found.values, found.initial, 1));
    const meanKey = await this.key(fact, this.contextTemplates, signal);
    const key = await this.key(fact, [["{}"]], signal);
    seconds.keys += lap();
    const space = hyperparameters.alongMeanKey ? null : this.keySpace;
    const update = await call(() => addon().rankOneUpdate(space, meanKey, key, residual));
    const residualNorm = await call(() => addon().norm(residual));
    for (const matrix of [found.values, found.initial, residual, meanKey, key]) matrix.dispose();
    seconds.updates += lap();
    const value = { caseId: fact.caseId, iterations: found.iterations[0]!, loss: found.losses[0]! };
    return { update, residualNorm, value };
  }

  private async key(fact: Fact, contexts: string[][], signal?: AbortSignal): Promise<NativeMatrix> {
    const pass = await beginKeys(this.context.model, [fact], contexts, signal);
    try {
      return await call((cancellation) => pass.keys(this.context.layer, cancellation), signal);
    } finally {
      pass.dispose();
    }
  }

  private async report(before: NativeMatrix, residualNorm: number): Promise<LayerReport> {
    const change = await call(() => addon().addScaled(this.drift, -1, before));
    const updateNorm = await call(() => addon().norm(change));
    change.dispose();
    const preservationLoss = await call(() => this.keySpace.driftLoss(this.drift));
    this.weighing = this.weighing.after(preservationLoss);
    const figures = { weight: null, updateNorm, residualNorm, solveResidual: null, form: null };
    return { layer: this.context.layer, preservationLoss, ...this.weighing.figures, ...figures };
  }
}
