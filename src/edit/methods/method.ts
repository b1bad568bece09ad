import type { Fact } from "../../data/records.js";
import type { LanguageModel } from "../../model/language-model.js";
import type { NativeMatrix } from "../../native/addon.js";
import type { ContextTemplates } from "../context-templates.js";
import type { EditOptions } from "../edit-options.js";
import type { Hyperparameters } from "../hyperparameters.js";
import type { BatchReport, LayerReport } from "../report.js";
import type { SecondMoments } from "../second-moments.js";

/** A way of editing. Each is a file in this directory. */
export interface EditingMethod {
  readonly name: string;
  /** What was chosen, for the record of a run. */
  readonly options: MethodOptions;
  /** Context templates for a model, where none are given. Default: as the MEMIT family samples them. */
  sampleContextTemplates?(model: LanguageModel, seed: number, signal?: AbortSignal): Promise<ContextTemplates>;
  /** Sets to work on a model; nothing of it is changed yet. */
  begin(context: MethodContext): Promise<MethodAtWork>;
}

export type MethodOptions = Readonly<Record<string, number | string | boolean>>;

/** What a method works on. */
export interface MethodContext {
  model: LanguageModel;
  hyperparameters: Hyperparameters;
  contextTemplates: ContextTemplates;
  /** Of every edited layer, of the unedited model; the caller's, and not there any more once `begin` is done. */
  moments: SecondMoments;
  /** ε: to add ε·tr(C)/d to the diagonal of every second moment C. */
  ridge: number;
  signal?: AbortSignal | undefined;
}

/** Matrices by name, the holder's to dispose of. */
export type Matrices = Record<string, NativeMatrix>;

/** Plain data, as JSON has it. */
export type PlainData =
  | null
  | boolean
  | number
  | string
  | readonly PlainData[]
  | { readonly [name: string]: PlainData };

export interface BatchOptions extends EditOptions {
  /** To be awaited before the first change of a weight or of the method's own state: until then a batch may fail or be
   * aborted without a trace, from then on the editor puts the weights back and goes on no more. */
  changing(): Promise<void>;
}

/** A method at work on one model, all of whose edits it makes. */
export interface MethodAtWork {
  /** The layers it edits, rising. */
  readonly layers: readonly number[];
  /** Edits a batch into the model. */
  editBatch(facts: readonly Fact[], options: BatchOptions): Promise<Pick<BatchReport, "layers" | "values" | "seconds">>;
  /** What it does to the model once, after its last batch. */
  finish?(): Promise<LayerReport[]>;
  /** D [m, d] float64 of every layer, where the method knows it better than the difference of the weights. */
  drifts(): Promise<Map<number, NativeMatrix>>;

  // With the edited weights, all that a fresh one needs to go on to the same bits.

  state(): Promise<PlainData>;
  /** What the last batch added for good. */
  ledgerRows(): Promise<Matrices>;
  /** What stands in place of what stood there a batch ago. */
  matrices(): Promise<Matrices>;
  /** On a fresh one: `state` and `matrices` after the last batch, and then, through `replay`, the ledger rows of every
   * batch, in order. */
  restore(state: PlainData, matrices: Matrices): Promise<void>;
  replay(rows: Matrices): Promise<void>;
  dispose(): void;
}
