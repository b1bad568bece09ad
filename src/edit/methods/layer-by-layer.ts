import type { Fact } from "../../data/records.js";
import { LyaplockError } from "../../errors.js";
import type { LanguageModel } from "../../model/language-model.js";
import type { NativeKeySpace, NativeMatrix } from "../../native/addon.js";
import { addon, call } from "../../native/index.js";
import { beginKeys } from "../keys.js";
import type { BatchReport, LayerReport } from "../report.js";
import type { SecondMoment } from "../second-moments.js";
import { optimizeValues } from "../values.js";
import { laps } from "./laps.js";
import type { LayerContext, LayerMethod } from "./layer-method.js";
import type {
  BatchOptions,
  EditingMethod,
  Matrices,
  MethodAtWork,
  MethodContext,
  MethodOptions,
  PlainData,
} from "./method.js";

/** What a method needs that is solved layer by layer. */
export interface LayerByLayerMethod {
  name: string;
  options: MethodOptions;
  forLayer(context: LayerContext): Promise<LayerMethod>;
}

/**
 * A method that locates facts in layers and then edits these (MEMIT and what came after it; reference, section 8): the values of
 * all facts at the last edited layer, then for every layer, upwards, keys, residuals and an update, which the next one sees.
 */
export function layerByLayer({ name, options, forLayer }: LayerByLayerMethod): EditingMethod {
  return {
    name,
    options,
    begin: async (context) => {
      const methods = new Map<number, LayerMethod>();
      try {
        for (const layer of context.hyperparameters.layers) {
          methods.set(layer, await forLayer(layerContext(context, layer)));
        }
      } catch (error) {
        for (const method of methods.values()) method.dispose();
        throw error;
      }
      return new LayerByLayer(context, methods);
    },
  };
}

class LayerByLayer implements MethodAtWork {
  private readonly model: LanguageModel;
  readonly layers: readonly number[];

  constructor(
    private readonly context: MethodContext,
    private readonly methods: ReadonlyMap<number, LayerMethod>,
  ) {
    this.model = context.model;
    this.layers = context.hyperparameters.layers;
  }

  async editBatch(
    facts: readonly Fact[],
    options: BatchOptions,
  ): Promise<Pick<BatchReport, "layers" | "values" | "seconds">> {
    const { signal, onProgress } = options;
    const { hyperparameters, contextTemplates } = this.context;
    const of = facts.length;
    const lap = laps();
    onProgress?.({ phase: "values", facts: 0, of });
    const found = await optimizeValues(this.model, facts, contextTemplates, hyperparameters, { signal });
    onProgress?.({ phase: "values", facts: of, of });
    const seconds = { values: lap(), keys: 0, updates: 0 };
    try {
      const layers = await this.updateLayers(facts, found.values, seconds, options);
      const values = facts.map(({ caseId }, i) => ({
        caseId,
        iterations: found.iterations[i]!,
        loss: found.losses[i]!,
      }));
      return { layers, values, seconds };
    } finally {
      found.values.dispose();
      found.initial.dispose();
    }
  }

  async finish(): Promise<LayerReport[]> {
    const reports: LayerReport[] = [];
    for (const [layer, method] of this.methods) {
      if (method.finish === undefined) continue;
      reports.push(await method.finish());
      await this.putDrift(layer, method);
    }
    return reports;
  }

  async drifts(): Promise<Map<number, NativeMatrix>> {
    const drifts = new Map<number, NativeMatrix>();
    for (const [layer, method] of this.methods) drifts.set(layer, await method.drift());
    return drifts;
  }

  async state(): Promise<PlainData> {
    const states: Record<string, PlainData> = {};
    for (const [layer, method] of this.methods) states[layer] = await method.state();
    return states;
  }

  ledgerRows(): Promise<Matrices> {
    return this.ofAllLayers((method) => method.ledgerRows());
  }

  matrices(): Promise<Matrices> {
    return this.ofAllLayers((method) => method.matrices());
  }

  async restore(state: PlainData, matrices: Matrices): Promise<void> {
    const states = state as Record<string, PlainData>;
    for (const [layer, method] of this.methods) await method.restore(states[layer]!, ofLayer(matrices, layer));
  }

  async replay(rows: Matrices): Promise<void> {
    for (const [layer, method] of this.methods) await method.replay(ofLayer(rows, layer));
  }

  dispose(): void {
    for (const method of this.methods.values()) method.dispose();
  }

  private async updateLayers(
    facts: readonly Fact[],
    values: NativeMatrix,
    seconds: { keys: number; updates: number },
    { signal, onProgress, changing }: BatchOptions,
  ): Promise<LayerReport[]> {
    const { layers } = this;
    const pass = await beginKeys(this.model, facts, this.context.contextTemplates, signal);
    try {
      for (const [i, layer] of layers.entries()) {
        const progress = { layer, facts: facts.length, of: facts.length };
        const lap = laps();
        onProgress?.({ phase: "keys", ...progress });
        // The first update changes the method's state; from then on a batch is seen through.
        const stop = i === 0 ? signal : undefined;
        const keys = await call((cancellation) => pass.keys(layer, cancellation), stop);
        const outputs = await call((cancellation) => pass.outputs(layers.at(-1)!, cancellation), stop);
        const residuals = await call(() => addon().residuals(values, outputs, layers.length - i));
        seconds.keys += lap();

        onProgress?.({ phase: "update", ...progress });
        if (i === 0) await changing();
        const method = this.methods.get(layer)!;
        await method.update(keys, residuals);
        await this.putDrift(layer, method);
        for (const matrix of [keys, outputs, residuals]) matrix.dispose();
        seconds.updates += lap();
      }
    } finally {
      pass.dispose();
    }
    return this.endBatch(seconds);
  }

  private async endBatch(seconds: { updates: number }): Promise<LayerReport[]> {
    const lap = laps();
    const reports: LayerReport[] = [];
    for (const [layer, method] of this.methods) {
      reports.push(await method.endBatch());
      if (method.changesAtEnd) await this.putDrift(layer, method);
    }
    seconds.updates += lap();
    return reports;
  }

  private async putDrift(layer: number, method: LayerMethod): Promise<void> {
    const drift = await method.drift();
    await call(() => this.model.native.setDrift(layer, drift));
    drift.dispose();
  }

  private async ofAllLayers(matricesOf: (method: LayerMethod) => Promise<Matrices>): Promise<Matrices> {
    const all: Matrices = {};
    for (const [layer, method] of this.methods) {
      for (const [name, matrix] of Object.entries(await matricesOf(method))) all[`${prefix(layer)}${name}`] = matrix;
    }
    return all;
  }
}

const prefix = (layer: number) => `layer.${layer}.`;

function ofLayer(matrices: Matrices, layer: number): Matrices {
  const of = Object.entries(matrices).filter(([name]) => name.startsWith(prefix(layer)));
  return Object.fromEntries(of.map(([name, matrix]) => [name.slice(prefix(layer).length), matrix]));
}

/** @throws ERR_INVALID_ARGUMENT for a layer that is not there, ERR_SHAPE for a second moment of another width */
export function layerContext({ model, hyperparameters, moments, ridge }: MethodContext, layer: number): LayerContext {
  const { feedForwardWidth, layers, width } = model.config;
  if (layer >= layers) {
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `there is no layer ${layer} in ${model.name}; it has ${layers}`);
  }
  const moment = moments.get(layer);
  const { covariance } = moment;
  if (covariance.rows !== feedForwardWidth || covariance.cols !== feedForwardWidth) {
    const found = `[${covariance.rows}, ${covariance.cols}]`;
    throw new LyaplockError(
      "ERR_SHAPE",
      `the second moment of layer ${layer} is ${found}; ${model.name} needs [${feedForwardWidth}, ${feedForwardWidth}]`,
    );
  }
  return {
    layer,
    model,
    hyperparameters,
    valueWidth: width,
    keySpace: () => keySpaceOf(moment, ridge),
    nullSpace: (threshold) => call(() => addon().createNullSpace(covariance, threshold)),
  };
}

async function keySpaceOf({ covariance, factor }: SecondMoment, ridge: number): Promise<NativeKeySpace> {
  if (factor === undefined || ridge !== 0) return call(() => addon().createKeySpace(covariance, ridge));
  const kept = await factor();
  try {
    return await call(() => addon().createKeySpaceFromFactor(kept, ridge));
  } finally {
    kept.dispose();
  }
}
