import type { Fact } from "../data/records.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import type { NativeMatrix } from "../native/addon.js";
import { call } from "../native/index.js";
import { inBatches } from "./batches.js";
import { type ContextTemplates, generateContextTemplates, parseContextTemplates } from "./context-templates.js";
import type { EditOptions } from "./edit-options.js";
import { checkLayers, type Hyperparameters } from "./hyperparameters.js";
import type { EditingMethod, Matrices, MethodAtWork, PlainData } from "./methods/index.js";
import { defaultHyperparameters } from "./published-hyperparameters.js";
import type { BatchReport, LayerReport } from "./report.js";
import type { SecondMoments } from "./second-moments.js";

export interface EditorOptions {
  /** One of `methods`. */
  method: EditingMethod;
  /** Second moments of every edited layer, of the unedited model. */
  moments: SecondMoments;
  /** Default: the published ones of the method and the model's family. */
  hyperparameters?: Hyperparameters | undefined;
  /** Default: those of the hyperparameters. */
  layers?: readonly number[] | undefined;
  /** Default: sampled from the model, as the published code of the method does. */
  contextTemplates?: ContextTemplates | undefined;
  /** Of the sampling. Default 42. */
  seed?: number | undefined;
  /** ε: adds ε·tr(C)/d to the diagonal of every second moment. Default 0; only for moments over too few tokens. */
  ridge?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Where an editor stands, beside matrices; plain data. */
export interface EditorState {
  batches: number;
  edits: number;
  method: PlainData;
}

/**
 * Edits the facts of a stream into a model, batch after batch, each on the model that the last one left (reference, section 8).
 *
 * A batch that fails or is aborted leaves the model's weights as they were before it. If it had got as far as the first
 * change, the editor itself cannot go on: make a new one and `restore` it.
 *
 * @example
 * const editor = await SequentialEditor.create(model, { method: methods.lyaplock({ alpha: 60 }), moments });
 * for await (const step of editor.edit(facts, { batchSize: 100 })) console.log(step.layers[0].preservationLoss);
 * await editor.finish();
 */
export class SequentialEditor {
  private batches = 0;
  private edits = 0;
  private broken = false;

  private constructor(
    private readonly model: LanguageModel,
    private readonly method: MethodAtWork,
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
    const { method, moments, ridge = 0, signal } = options;
    const given = options.hyperparameters ?? defaultHyperparameters(model.config, method.name);
    const hyperparameters = { ...given, layers: [...(options.layers ?? given.layers)] };
    checkLayers(hyperparameters.layers);
    const contextTemplates = options.contextTemplates
      ? parseContextTemplates(options.contextTemplates)
      : await (method.sampleContextTemplates ?? generateContextTemplates)(model, options.seed ?? 42, signal);
    const begun = await method.begin({ model, hyperparameters, contextTemplates, moments, ridge, signal });
    return new SequentialEditor(model, begun, hyperparameters, contextTemplates);
  }

  /** Edits facts in batches as they come, yielding a report after each. The last batch may be smaller. */
  async *edit(
    facts: Iterable<Fact> | AsyncIterable<Fact>,
    { batchSize = 100, ...options }: EditOptions & { batchSize?: number } = {},
  ): AsyncGenerator<BatchReport> {
    for await (const batch of inBatches(facts, batchSize)) yield await this.editBatch(batch, options);
  }

  /** Edits one batch. */
  async editBatch(facts: readonly Fact[], options: EditOptions = {}): Promise<BatchReport> {
    if (facts.length === 0) throw new LyaplockError("ERR_INVALID_ARGUMENT", "a batch must hold at least one fact");
    const done = await this.change((changing) => this.method.editBatch(facts, { ...options, changing }));
    this.batches += 1;
    this.edits += facts.length;
    return { batch: this.batches, edits: this.edits, ...done };
  }

  /**
   * What the method does once, after its last batch (PRUNE); nothing in most. The state stays that before it.
   *
   * @returns how the layers stand that it has changed.
   */
  async finish(): Promise<LayerReport[]> {
    const { method } = this;
    if (method.finish === undefined || this.batches === 0) return [];
    return this.change(async (changing) => {
      await changing();
      return method.finish!();
    });
  }

  /** Where the editor stands. With the ledger rows of every batch, the matrices and the weights, all that `restore` needs. */
  async state(): Promise<EditorState> {
    return { batches: this.batches, edits: this.edits, method: await this.method.state() };
  }

  /** What the last batch added to the method's ledger; the caller's to dispose of. */
  ledgerRows(): Promise<Matrices> {
    return this.method.ledgerRows();
  }

  /** What else the method keeps; the caller's to dispose of. */
  matrices(): Promise<Matrices> {
    return this.method.matrices();
  }

  /** What was added to each layer's weight before it was rounded, [m, d] float64; the caller's to dispose of. */
  drifts(): Promise<Map<number, NativeMatrix>> {
    return this.method.drifts();
  }

  /** The edited weights, [m, d] float32 each; the caller's to dispose of. */
  async weights(): Promise<Map<number, NativeMatrix>> {
    const weights = new Map<number, NativeMatrix>();
    for (const layer of this.method.layers) weights.set(layer, await call(() => this.model.native.weight(layer)));
    return weights;
  }

  /**
   * Brings a fresh editor, on the unedited model, to where another stood: `state`, `weights` and `matrices` as it gave them
   * last, its `ledgerRows` after each batch, in order. What follows is the same to the last bit.
   */
  async restore(
    state: EditorState,
    ledger: AsyncIterable<Matrices>,
    matrices: Matrices,
    weights: ReadonlyMap<number, NativeMatrix>,
  ): Promise<void> {
    this.broken = true; // until everything is in place
    await this.method.restore(state.method, matrices);
    let batches = 0;
    for await (const rows of ledger) {
      batches += 1;
      await this.method.replay(rows);
    }
    if (batches !== state.batches) {
      const what = `the ledger has ${batches} batches; the editor's state speaks of ${state.batches}`;
      throw new LyaplockError("ERR_INVALID_ARGUMENT", what);
    }
    await this.putWeights(weights);
    this.batches = state.batches;
    this.edits = state.edits;
    this.broken = false;
  }

  /** Frees what the method keeps. The model keeps its edits. */
  dispose(): void {
    this.method.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Runs what changes the model, and puts its weights back if that fails. */
  private async change<T>(work: (changing: () => Promise<void>) => Promise<T>): Promise<T> {
    if (this.broken) {
      throw new LyaplockError(
        "ERR_INVALID_ARGUMENT",
        "an earlier batch of this editor failed midway; make a new editor and restore it",
      );
    }
    let before: Map<number, NativeMatrix> | undefined;
    try {
      const done = await work(async () => {
        before = await this.weights();
        this.broken = true;
      });
      this.broken = false;
      return done;
    } catch (error) {
      if (before !== undefined) await this.putWeights(before);
      throw error;
    } finally {
      for (const weight of before?.values() ?? []) weight.dispose();
    }
  }

  private async putWeights(weights: ReadonlyMap<number, NativeMatrix>): Promise<void> {
    for (const [layer, weight] of weights) await call(() => this.model.native.setWeight(layer, weight));
  }
}
