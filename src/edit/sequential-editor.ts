import type { Fact } from "../data/records.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import type { LedgerBatch, NativeKeySpace, NativeMatrix } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { inBatches } from "./batches.js";
import { type ContextTemplates, generateContextTemplates, parseContextTemplates } from "./context-templates.js";
import { checkLayers, defaultHyperparameters, type Hyperparameters } from "./hyperparameters.js";
import { beginKeys } from "./keys.js";
import type { EditingMethod, LayerMethod, LayerState } from "./methods/index.js";
import type { BatchReport, LayerReport } from "./report.js";
import type { SecondMoment, SecondMoments } from "./second-moments.js";
import { optimizeValues } from "./values.js";

export interface EditorOptions {
  /** One of `methods`. */
  method: EditingMethod;
  /** Second moments of every edited layer, of the unedited model. */
  moments: SecondMoments;
  /** Default: the published ones of the model's family. */
  hyperparameters?: Hyperparameters | undefined;
  /** Default: those of the hyperparameters. */
  layers?: readonly number[] | undefined;
  /** Default: sampled from the model, as the published code does. */
  contextTemplates?: ContextTemplates | undefined;
  /** Of the sampling. Default 42. */
  seed?: number | undefined;
  /** ε: adds ε·tr(C)/d to the diagonal of every second moment. Default 0; only for moments over too few tokens. */
  ridge?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface EditProgress {
  phase: "values" | "keys" | "update";
  layer?: number;
  /** Facts of the batch that the phase is through with, and all of them. */
  facts: number;
  of: number;
}

export interface EditOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: EditProgress) => void) | undefined;
}

/** Where an editor stands, beside ledger and weights; plain data. */
export interface EditorState {
  batches: number;
  edits: number;
  layers: LayerState[];
}

/**
 * Edits the facts of a stream into a model, batch after batch (reference, section 8): values for all facts, then for every
 * layer, upwards, keys, residuals and the method's update, each seen by the next layer.
 *
 * A batch that fails or is aborted leaves the model's weights as they were before it. If it had got as far as the first
 * update, the editor itself cannot go on: make a new one and `restore` it.
 *
 * @example
 * const editor = await SequentialEditor.create(model, { method: methods.lyaplock({ alpha: 60 }), moments });
 * for await (const step of editor.edit(facts, { batchSize: 100 })) console.log(step.layers[0].preservationLoss);
 */
export class SequentialEditor {
  private batches = 0;
  private edits = 0;
  private broken = false;

  private constructor(
    private readonly model: LanguageModel,
    private readonly methods: ReadonlyMap<number, LayerMethod>,
    readonly hyperparameters: Hyperparameters,
    readonly contextTemplates: ContextTemplates,
  ) {}

  /**
   * Factors the second moments, and samples context templates where none are given.
   *
   * @throws ERR_NOT_POSITIVE_DEFINITE for a second moment over too few tokens, ERR_SHAPE for one of another width,
   *   ERR_INVALID_ARGUMENT
   */
  static async create(model: LanguageModel, options: EditorOptions): Promise<SequentialEditor> {
    const given = options.hyperparameters ?? defaultHyperparameters(model.config);
    const hyperparameters = { ...given, layers: [...(options.layers ?? given.layers)] };
    checkLayers(hyperparameters.layers);
    const contexts = options.contextTemplates
      ? parseContextTemplates(options.contextTemplates)
      : await generateContextTemplates(model, options.seed ?? 42, options.signal);
    const methods = new Map<number, LayerMethod>();
    for (const layer of hyperparameters.layers) {
      methods.set(layer, await methodForLayer(model, layer, hyperparameters, options));
    }
    return new SequentialEditor(model, methods, hyperparameters, contexts);
  }

  /** Edits facts in batches as they come, yielding a report after each. The last batch may be smaller. */
  async *edit(
    facts: Iterable<Fact> | AsyncIterable<Fact>,
    { batchSize = 100, ...options }: EditOptions & { batchSize?: number } = {},
  ): AsyncGenerator<BatchReport> {
    for await (const batch of inBatches(facts, batchSize)) yield await this.editBatch(batch, options);
  }

  /** Edits one batch. */
  async editBatch(facts: readonly Fact[], { signal, onProgress }: EditOptions = {}): Promise<BatchReport> {
    if (this.broken) {
      throw new LyaplockError(
        "ERR_INVALID_ARGUMENT",
        "an earlier batch of this editor failed midway; make a new editor and restore it",
      );
    }
    const of = facts.length;
    if (of === 0) throw new LyaplockError("ERR_INVALID_ARGUMENT", "a batch must hold at least one fact");
    const { model, hyperparameters, contextTemplates } = this;
    const watch = stopwatch();

    onProgress?.({ phase: "values", facts: 0, of });
    const found = await optimizeValues(model, facts, contextTemplates, hyperparameters, { signal });
    onProgress?.({ phase: "values", facts: of, of });
    const seconds = { values: watch(), keys: 0, updates: 0 };
    try {
      const layers = await this.updateLayers(facts, found.values, seconds, { signal, onProgress });
      this.batches += 1;
      this.edits += of;
      const values = facts.map(({ caseId }, i) => ({
        caseId,
        iterations: found.iterations[i]!,
        loss: found.losses[i]!,
      }));
      return { batch: this.batches, edits: this.edits, layers, values, seconds };
    } finally {
      found.values.dispose();
      found.initial.dispose();
    }
  }

  /** Where the editor stands. With every batch of `lastBatch` and the weights, all that `restore` needs. */
  async state(): Promise<EditorState> {
    const layers: LayerState[] = [];
    for (const method of this.methods.values()) layers.push(await method.state());
    return { batches: this.batches, edits: this.edits, layers };
  }

  /** What the last batch added to each layer's ledger; the caller's to dispose of. */
  async lastBatch(): Promise<Map<number, LedgerBatch>> {
    const batches = new Map<number, LedgerBatch>();
    for (const [layer, method] of this.methods) batches.set(layer, await method.lastBatch());
    return batches;
  }

  /** What was added to each layer's weight before it was rounded, [m, d] float64; the caller's to dispose of. */
  async drifts(): Promise<Map<number, NativeMatrix>> {
    const drifts = new Map<number, NativeMatrix>();
    for (const [layer, method] of this.methods) drifts.set(layer, await method.drift());
    return drifts;
  }

  /** The edited weights, [m, d] float32 each; the caller's to dispose of. */
  async weights(): Promise<Map<number, NativeMatrix>> {
    const weights = new Map<number, NativeMatrix>();
    for (const layer of this.methods.keys()) weights.set(layer, await call(() => this.model.native.weight(layer)));
    return weights;
  }

  /**
   * Brings a fresh editor, on the unedited model, to where another stood: `state` and `weights` as it gave them last, its
   * `lastBatch` after each batch, in order. What follows is the same to the last bit.
   */
  async restore(
    state: EditorState,
    ledger: AsyncIterable<ReadonlyMap<number, LedgerBatch>>,
    weights: ReadonlyMap<number, NativeMatrix>,
  ): Promise<void> {
    this.broken = true; // until everything is in place
    for (const layer of state.layers) await this.method(layer.layer).restore(layer);
    let batches = 0;
    for await (const rows of ledger) {
      batches += 1;
      for (const [layer, batch] of rows) await this.method(layer).replay(batch);
    }
    if (batches !== state.batches) {
      const what = `the ledger has ${batches} batches; the editor's state speaks of ${state.batches}`;
      throw new LyaplockError("ERR_INVALID_ARGUMENT", what);
    }
    for (const [layer, weight] of weights) await call(() => this.model.native.setWeight(layer, weight));
    this.batches = state.batches;
    this.edits = state.edits;
    this.broken = false;
  }

  /** Frees the ledgers. The model keeps its edits. */
  dispose(): void {
    for (const method of this.methods.values()) method.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private method(layer: number): LayerMethod {
    const method = this.methods.get(layer);
    if (method !== undefined) return method;
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `this editor does not edit layer ${layer}`);
  }

  private async updateLayers(
    facts: readonly Fact[],
    values: NativeMatrix,
    seconds: { keys: number; updates: number },
    { signal, onProgress }: EditOptions,
  ): Promise<LayerReport[]> {
    const { layers } = this.hyperparameters;
    const before = await this.weights();
    const pass = await beginKeys(this.model, facts, this.contextTemplates, signal);
    const reports: LayerReport[] = [];
    try {
      for (const [i, layer] of layers.entries()) {
        const progress = { layer, facts: facts.length, of: facts.length };
        const watch = stopwatch();
        onProgress?.({ phase: "keys", ...progress });
        // The first update changes the editor; from then on a batch is seen through.
        const stop = i === 0 ? signal : undefined;
        const keys = await call((cancellation) => pass.keys(layer, cancellation), stop);
        const outputs = await call((cancellation) => pass.outputs(layers.at(-1)!, cancellation), stop);
        const residuals = await call(() => addon().residuals(values, outputs, layers.length - i));
        seconds.keys += watch();

        onProgress?.({ phase: "update", ...progress });
        this.broken = true;
        reports.push(await this.updateLayer(layer, keys, residuals));
        for (const matrix of [keys, outputs, residuals]) matrix.dispose();
        seconds.updates += watch();
      }
      this.broken = false;
      return reports;
    } catch (error) {
      for (const [layer, weight] of before) await call(() => this.model.native.setWeight(layer, weight));
      throw error;
    } finally {
      pass.dispose();
      for (const weight of before.values()) weight.dispose();
    }
  }

  private async updateLayer(layer: number, keys: NativeMatrix, residuals: NativeMatrix): Promise<LayerReport> {
    const method = this.method(layer);
    const report = await method.update(keys, residuals);
    const drift = await method.drift();
    await call(() => this.model.native.setDrift(layer, drift));
    drift.dispose();
    return report;
  }
}

async function methodForLayer(
  model: LanguageModel,
  layer: number,
  hyperparameters: Hyperparameters,
  { method, moments, ridge = 0 }: EditorOptions,
): Promise<LayerMethod> {
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
  const keySpace = await keySpaceOf(moment, ridge);
  try {
    return await method.forLayer(layer, keySpace, width, hyperparameters);
  } finally {
    keySpace.dispose(); // the method's own work keeps it alive
  }
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

/** Seconds since the last call. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
}
