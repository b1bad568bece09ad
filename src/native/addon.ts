/**
 * What the native addon offers, all of it: read this file and you know what C++ does for TypeScript.
 *
 * True for everything below: calls return at once and the work runs on a thread of the addon's own, one call after the
 * other for each JavaScript environment; a failed call rejects with an Error that has a `code` (`ERR_…`) and leaves its
 * inputs as they were; matrices are row-major, shapes are written [rows, cols]; typed arrays that go in are copied
 * before the call returns, those that come out belong to the caller; `n` counts tokens of a batch, `u` facts, `m` is the
 * width of the model, `d` the width of the down-projection's input.
 */

/** Sequences one after the other, without padding. */
export interface TokenBatch {
  /** Token ids of all sequences, [n]. */
  tokens: Int32Array;
  /** Where each sequence starts, and the end: [sequences + 1], rising from 0 to n. No sequence is empty. */
  offsets: Int32Array;
}

/** A matrix in native memory, float32 or float64. Freed by `dispose` or with the handle. */
export interface NativeMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly type: "float32" | "float64";
  /** The content, [rows * cols]; rounds to nearest where the matrix is wider. */
  toFloat32Array(): Promise<Float32Array>;
  toFloat64Array(): Promise<Float64Array>;
  /** The very memory; it outlives `dispose`. Undefined where this Node does not allow that, or not for so much, or
   * where the memory is a GPU's. */
  view(): Float32Array | Float64Array | undefined;
  dispose(): void;
}

/** Stops the calls it was given to: they reject with ERR_ABORTED. */
export interface NativeCancellation {
  cancel(): void;
}

/** How weights are held in memory; arithmetic is float32, and edited matrices are, in any case. */
export type WeightType = "f32" | "bf16";

/** How positions turn the first `width` entries of every head of a query or key (native/model/rotary_frequencies.h). */
export type RotaryPositions = { width: number; base: number } & (
  | { scaling: "none" }
  | { scaling: "linear"; factor: number }
  | {
      scaling: "llama3";
      factor: number;
      lowFrequencyFactor: number;
      highFrequencyFactor: number;
      originalPositions: number;
    }
);

/** What native code needs to know of a model's config.json. `family` names a row of native/model/families.cpp. */
export interface ModelDescription {
  family: string;
  layers: number;
  width: number;
  heads: number;
  keyValueHeads: number;
  headWidth: number;
  feedForwardWidth: number;
  vocabulary: number;
  positions: number;
  normEpsilon: number;
  tiedHead: boolean;
  /** Ignored by families with learned positions. */
  rotary: RotaryPositions;
  activation: "silu" | "gelu" | "gelu_tanh";
  /** Of the maps to queries, keys and values. */
  attentionBias: boolean;
  attentionOutputBias: boolean;
  feedForwardBias: boolean;
  headBias: boolean;
  /** Whether queries and keys are normed head by head. */
  headNorms: boolean;
}

/** The prompts over which the values of u facts are optimised; rows of `batch` in any order. */
export interface ValuePrompts {
  batch: TokenBatch;
  /** The fact of each sequence, [sequences], 0 … u - 1. */
  facts: Int32Array;
  /** The position of the subject's last token in each sequence, [sequences]. */
  lookups: Int32Array;
  /** Labels: sequence, position in it, and token to predict there; [labels] each. A sequence without labels is its fact's
   * KL prompt; every fact has exactly one, and at least one with labels. */
  labelSequences: Int32Array;
  labelPositions: Int32Array;
  labelTokens: Int32Array;
  /** The sequence of each fact whose state at its lookup is the fact's initial value, [u]: the bare prompt. */
  bare: Int32Array;
}

/** Section 6 of the reference, under its own names. */
export interface ValueOptions {
  /** δ is added to the output of this block. */
  layer: number;
  /** What the initial value is, and with it the value: the block's whole output, or what its feed-forward part adds to it. */
  place: "block" | "feed-forward";
  steps: number;
  learningRate: number;
  weightDecay: number;
  klFactor: number;
  clampNormFactor: number;
  /** A fact stops when its loss falls below: 0.05 in the published code. */
  stopLoss: number;
  /** Keep loss, gradient and delta of every iteration. */
  trajectory: boolean;
}

export interface ValueResult {
  /** z = initial + delta, [u, m] float32. */
  values: NativeMatrix;
  /** h0, [u, m] float32. */
  initial: NativeMatrix;
  /** Forward passes of each fact, and the losses of the last one; [u] each. */
  iterations: Int32Array;
  losses: Float32Array;
  likelihoodLosses: Float32Array;
  divergences: Float32Array;
  /** With `trajectory`: per fact, losses [iterations]; gradients and deltas [steps taken, m], delta after step and clamp. */
  trajectories?: { losses: Float32Array; gradients: Float32Array; deltas: Float32Array }[];
}

/** What a layer is trained on: one sequence for each of u facts. */
export interface TrainingPrompts {
  batch: TokenBatch;
  /** Labels: sequence, position in it, and token to predict there; [labels] each. Every sequence has some. */
  labelSequences: Int32Array;
  labelPositions: Int32Array;
  labelTokens: Int32Array;
}

/** Section 10.6 of the reference. */
export interface FineTuningOptions {
  /** Whose down-projection is trained: the weight, and the bias where the family has one. */
  layer: number;
  /** At most. */
  epochs: number;
  /** Facts of one step of Adam. */
  batchSize: number;
  learningRate: number;
  /** So many times the weight is added to its gradient. */
  weightDecay: number;
  /** No element moves farther than this from where it was before the call. */
  normConstraint?: number | undefined;
  /** A mini-batch whose loss is below makes no step; an epoch whose mean is below is the last one: 0.01 as published. */
  stopLoss: number;
}

export interface FineTuningResult {
  epochs: number;
  /** Of each mini-batch before its step, epoch by epoch. */
  losses: Float32Array;
  /** Of each fact in the last epoch, [u]: mean over its labels of −log p. */
  factLosses: Float32Array;
}

/** Sequences cut at the lookup position, read layer by layer while the layers are being edited. */
export interface KeyPrompts {
  batch: TokenBatch;
  /** The fact of each sequence, and its share in the fact's key (shares of one fact sum to 1); [sequences] each. */
  facts: Int32Array;
  shares: Float32Array;
  /** The sequence of each fact at whose last token the block's output is read, [u]. */
  bare: Int32Array;
}

/**
 * Goes up through the layers once. Between two layers only what lies above the edited down-projection is computed, with
 * the weights as they are then.
 */
export interface NativeKeyPass {
  /** Keys [u, d] float64 at `layer`, which must rise from call to call. */
  keys(layer: number, cancellation?: NativeCancellation): Promise<NativeMatrix>;
  /** Output [u, m] float64 of block `layer` at the last token of the bare prompts, from the layer of the last `keys`. */
  outputs(layer: number, cancellation?: NativeCancellation): Promise<NativeMatrix>;
  dispose(): void;
}

export interface GenerationOptions {
  /** Total tokens of each sequence, its prompt included, [sequences]; a prompt that is already as long stays as it is. */
  lengths: Int32Array;
  /** Draw among the k most probable tokens, renormalised; 1 is greedy. */
  topK: number;
  /** Sequence i draws from a stream of its own, made from (seed, i). */
  seed: number;
}

/** Prompts that are extended by sampling, with a key/value cache. */
export interface NativeGeneration {
  /**
   * Draws a token for every sequence that is shorter than its length: which those are, rising, and the token of each. Both
   * are empty once none is. A call that fails or is cancelled changes nothing. ERR_NOT_FINITE for damaged weights.
   */
  step(cancellation?: NativeCancellation): Promise<{ sequences: Int32Array; tokens: Int32Array }>;
  /**
   * −log p of every token of other texts, [tokens]: continuation c follows sequence after[c], which must be shorter than its
   * length, as it now stands. Draws nothing. What a sequence holds is read once, however many continuations it has.
   */
  rate(continuations: TokenBatch, after: Int32Array, cancellation?: NativeCancellation): Promise<Float32Array>;
  dispose(): void;
}

/** Element types of safetensors that weights can have. */
export type FloatType = "F64" | "F32" | "F16" | "BF16";
/** Onto the weights, or off them. */
export type DeltaDirection = "apply" | "remove";

/** An edited matrix as it was saved. */
export interface SavedMatrix {
  layer: number;
  type: FloatType;
  /** Of the tensor in the checkpoint. */
  was: FloatType;
  /** Frobenius norm of what rounding to the type changed. */
  rounding: number;
}

/** What is restored: a block's output, or what its MLP or its attention adds to the residual stream. */
export type TraceKind = "state" | "mlp" | "attention";

/** A prompt for causal tracing. */
export interface TracedPrompt {
  tokens: Int32Array;
  /** Tokens of the subject, [begin, end). */
  subjectBegin: number;
  subjectEnd: number;
  /** The token whose probability after the prompt is looked at. */
  answer: number;
  /** Noise of each corrupted copy, [copies * subject tokens, m]. */
  noise: Float32Array;
}

export interface TracingOptions {
  kinds: readonly TraceKind[];
  /** Layers in which the output of MLP or attention is restored together. */
  window: number;
  /** Tokens at which something is restored, [begin, end). */
  begin: number;
  end: number;
}

/** Probabilities of the answer: clean, corrupted, and for each kind with something restored, [end - begin, layers]. */
export interface TracedScores {
  high: number;
  low: number;
  scores: Float32Array[];
}

/** A transformer with float32 arithmetic. */
export interface NativeModel {
  /** Logits [rows, vocabulary] at chosen tokens (indices into batch.tokens, [rows]). */
  logits(batch: TokenBatch, rows: Int32Array, cancellation?: NativeCancellation): Promise<NativeMatrix>;
  /** For query j: −log p(targets[j]) after token rows[j], and the most probable token there. */
  score(
    batch: TokenBatch,
    rows: Int32Array,
    targets: Int32Array,
    cancellation?: NativeCancellation,
  ): Promise<{ losses: Float32Array; greedy: Int32Array }>;
  /** Allocates the cache: for all layers, two rows of key/value width for each token of a sequence but its last. */
  beginGeneration(batch: TokenBatch, options: GenerationOptions): NativeGeneration;
  /** Adds the down-projection's inputs at every token to the moment of each layer (rising), one forward pass. */
  accumulateMoments(
    batch: TokenBatch,
    layers: number[],
    moments: NativeSecondMoment[],
    cancellation?: NativeCancellation,
  ): Promise<void>;
  optimizeValues(prompts: ValuePrompts, options: ValueOptions, cancellation?: NativeCancellation): Promise<ValueResult>;
  /** Trains one layer's down-projection. If it fails or is cancelled, between steps, weight and bias are as they were. */
  fineTune(
    prompts: TrainingPrompts,
    options: FineTuningOptions,
    cancellation?: NativeCancellation,
  ): Promise<FineTuningResult>;
  beginKeys(prompts: KeyPrompts): NativeKeyPass;
  /** Runs a prompt clean, with noise on its subject, and with something restored (native/model/tracing.h). */
  trace(prompt: TracedPrompt, options: TracingOptions, cancellation?: NativeCancellation): Promise<TracedScores>;
  /** Standard deviation (unbiased) of all entries of the embeddings of some tokens. */
  embeddingDeviation(tokens: Int32Array): Promise<number>;

  /** The down-projection's weight as it is now, [m, d] float32, whatever the checkpoint's orientation. */
  weight(layer: number): Promise<NativeMatrix>;
  /** The weight that drifts are counted from. */
  originalWeight(layer: number): Promise<NativeMatrix>;
  /** Weight = float32(original + drift), drift [m, d] float64. */
  setDrift(layer: number, drift: NativeMatrix): Promise<void>;
  /** Puts back a weight that `weight` gave. */
  setWeight(layer: number, weight: NativeMatrix): Promise<void>;
  /** The down-projection's bias, [1, m] float32, and what it was; null where the family has none. */
  bias(layer: number): Promise<NativeMatrix | null>;
  originalBias(layer: number): Promise<NativeMatrix | null>;
  /** Puts back a bias that `bias` gave. */
  setBias(layer: number, bias: NativeMatrix): Promise<void>;
  /** Frobenius norms of weight − original and of the original, and how many elements differ; the bias counts where it was
   * trained. */
  weightChange(layer: number): Promise<{ norm: number; originalNorm: number; changed: number; elements: number }>;
  /**
   * Writes the model's weight files into an existing directory: safetensors under their own names, a GGUF file as
   * model.safetensors. Matrices (and biases) that were edited, or changed by a delta, come in the orientation of the family's checkpoints and of
   * the given type, or without one of their own; what is quantised becomes F32; everything else keeps its values and type.
   * ERR_NOT_FINITE if an element is too large for the type.
   */
  save(directory: string, type?: FloatType): Promise<SavedMatrix[]>;
  /** Writes what edits changed of these layers (native/model/delta_file.h). Drifts, [m, d] float64, make the file smaller. */
  writeDelta(
    path: string,
    layers: { layer: number; drift?: NativeMatrix | undefined }[],
    metadata: Record<string, string>,
  ): Promise<void>;
  /** Turns the weights such a file speaks of; what comes counts as original. ERR_MODEL_FORMAT, and then nothing is changed. */
  changeByDelta(path: string, direction: DeltaDirection): Promise<void>;
  dispose(): void;
}

/** In which precision products of keys are formed; sums of blocks of them are float64 always. */
export type MomentPrecision = "float64" | "float32";

/** Σ k kᵀ over keys k, [d, d] float64, and their count. */
export interface NativeSecondMoment {
  readonly width: number;
  readonly count: number;
  readonly precision: MomentPrecision;
  /** Adds rows [n, d]. */
  add(keys: NativeMatrix): Promise<void>;
  merge(other: NativeSecondMoment): Promise<void>;
  /** Σ k kᵀ, [d, d] float64, both triangles, and the count of just these keys. */
  sum(): Promise<{ sum: NativeMatrix; count: number }>;
  /** C = Σ k kᵀ / count, [d, d] float64, both triangles. ERR_INVALID_ARGUMENT before the first key. */
  mean(): Promise<NativeMatrix>;
  dispose(): void;
}

/** The space in which the preserved keys are white: C = L Lᵀ, or the null space of C. */
export interface NativeKeySpace {
  /** d */
  readonly width: number;
  /** Width of whitened keys: d, or that of the null space. */
  readonly rank: number;
  /** Largest over smallest eigenvalue of C; an estimate where C was factored. */
  readonly condition: number;
  /** Smallest and largest diagonal element of L, squared; 0 for a null space. */
  readonly smallestPivot: number;
  readonly largestPivot: number;
  /** What was added to C's diagonal. */
  readonly ridge: number;
  readonly bytes: number;
  /** L⁻¹ k or U k for every row k: [n, d] → [n, rank]. */
  whiten(keys: NativeMatrix): Promise<NativeMatrix>;
  /** L⁻ᵀ k̃ or Uᵀ k̃ for every row: [n, rank] → [n, d]. */
  lift(whitened: NativeMatrix): Promise<NativeMatrix>;
  /** tr(D C Dᵀ) of a drift [m, d]; of a null space, one that stays in it. */
  driftLoss(drift: NativeMatrix): Promise<number>;
  /** L, [d, d] float64, with zeros above its diagonal: the key space's own memory, not to be written to.
   * ERR_INVALID_ARGUMENT for a null space. */
  factor(): Promise<NativeMatrix>;
  dispose(): void;
}

export type UpdateForm = "dual" | "primal";
/** What a layer remembers of earlier facts: keys and values, keys alone, or nothing. */
export type EditorMemory = "values" | "keys" | "none";

/** Figures of one update, float64. Losses are per corpus token; λ is not in them. */
export interface UpdateReport {
  /** tr(D C Dᵀ) after the update. With a memory of keys or none, D is the sum of all changes. */
  preservationLoss: number;
  /** ‖D⁺ − D‖ and ‖R‖, Frobenius. */
  updateNorm: number;
  residualNorm: number;
  /** ‖Q (G + μI) − Y‖ / ‖Y‖, or ‖D̃ (S + μI) − N‖ / ‖N‖ in the primal form: estimated within about a quarter. */
  solveResidual: number;
  form: UpdateForm;
  /** Whether the factor of the update before was gone on from, the weight being the same. */
  bordered: boolean;
  /** μ the update was solved with. */
  weight: number;
  /** Weights it was solved with until the loss was within its limit; 1 without a limit. */
  trials: number;
  /** Operations of the products, factors and solves that were made. */
  flops: number;
}

/** One batch in a layer's ledger. Values are relative to the original weight W0: outputs are W0 k + value. */
export interface LedgerBatch {
  /** [u, d] */
  keys: NativeMatrix;
  /** What the batch was meant to reach when it was solved, [u, m]. */
  targets: NativeMatrix;
  /** What it reached, [u, m]. */
  values: NativeMatrix;
}

/** The last updates of a layer, each of which went on from the one before. */
export interface UpdateChain {
  /** μ and form of the last one. */
  weight: number;
  form: UpdateForm;
  /** Facts in the ledger before the first one. */
  begin: number;
}

/** The facts of one layer, and the drift D of its weight that serves them. */
export interface NativeLayerEditor {
  /** Facts remembered, and bytes held, as of the last call that ended. */
  readonly facts: number;
  readonly bytes: number;
  /**
   * Adds keys [u, d] and residuals [u, m] and solves anew with the weight μ. Without a form, the cheaper one. With a limit on
   * the preservation loss (memory "values"), μ is the smallest from `weight` on at which the loss is within it.
   */
  update(
    keys: NativeMatrix,
    residuals: NativeMatrix,
    weight: number,
    form?: UpdateForm,
    cancellation?: NativeCancellation,
    lossLimit?: number,
  ): Promise<UpdateReport>;
  /** Memory "keys": keys [u, d] that later updates shall disturb as little as they can. */
  remember(keys: NativeMatrix): Promise<void>;
  /** D, and what the last update changed of it, [m, d] float64: the editor's own memory, not to be written to. */
  drift(): Promise<NativeMatrix>;
  delta(): Promise<NativeMatrix>;
  /** D in whitened coordinates, [m, rank]; empty with memory "values". */
  whitenedDrift(): Promise<NativeMatrix>;
  /** Number of batches in the ledger, and the chain the last update belongs to; null before the first. */
  standing(): Promise<{ batches: number; chain: UpdateChain | null }>;
  /** A copy of one batch of the ledger, from 0; targets and values only with memory "values". */
  batch(index: number): Promise<Pick<LedgerBatch, "keys"> & Partial<LedgerBatch>>;
  /** Memory "values", on a fresh editor: what `standing` gave and how many facts there were; then `replay` every batch, in
   * order. The editor then goes on as that one would have, to the same bits. */
  restoreChain(chain: UpdateChain, facts: number): Promise<void>;
  replay(
    keys: NativeMatrix,
    targets: NativeMatrix,
    values: NativeMatrix,
    cancellation?: NativeCancellation,
  ): Promise<void>;
  /** Memory "keys" or "none": what `drift` and `whitenedDrift` gave. */
  restoreDrift(drift: NativeMatrix, whitenedDrift: NativeMatrix): Promise<void>;
  dispose(): void;
}

/** Where the two forms of an update stand before a batch (native/edit/update_cost.h). */
export interface FormState {
  facts: number;
  notInDual: number;
  canBorder: boolean;
  isPrimalBegun: boolean;
}

/** Of one layer: d, the rank of its key space (d where absent), m. */
export interface UpdateShape {
  keyWidth: number;
  rank?: number | undefined;
  valueWidth: number;
  memory: EditorMemory;
}

/** Calls of one operation with the same sizes, as native/backend/rehearsal/work.h has them. */
export interface DeviceWork {
  kind: "product" | "triangular" | "factor" | "attention" | "pass" | "copy";
  /** Of native/backend/backend.h. */
  operation: string;
  precision: "float32" | "float64";
  /** Of a product [rows, columns], what is summed over; of a triangular system `rows` right-hand sides, its order in `columns`; of
   * a factor its order in `rows`; else 0. */
  rows: number;
  columns: number;
  inner: number;
  calls: number;
  /** Of all calls: operations, and bytes of the device's memory (of a copy, those that are copied) if each operand passes once. */
  flops: number;
  bytes: number;
}

export interface Rehearsal {
  work: DeviceWork[];
  /** The most memory it takes beside what was there before. */
  peakBytes: number;
}

export interface RehearsedBatch {
  model: ModelDescription;
  valuePrompts: ValuePrompts;
  /** Every fact takes all steps. */
  valueOptions: ValueOptions;
  keyPrompts: KeyPrompts;
  layers: number[];
  /** Bytes, by which the code chooses how many facts go through together. */
  deviceMemory: number;
}

export interface BatchRehearsal {
  values: Rehearsal;
  /** Keys and residuals of all layers. */
  keys: Rehearsal;
  /** Weights of all layers: kept, in case the batch fails, and set. */
  weights: Rehearsal;
}

export interface RehearsedUpdates {
  keyWidth: number;
  valueWidth: number;
  edits: number;
  batchSize: number;
  weightStays: boolean;
}

export interface UpdatesRehearsal {
  /** All batches but the last, and that. */
  allButLast: Rehearsal;
  last: Rehearsal;
  /** In the end, key space included. */
  heldBytes: number;
}

/** How float32 matrices are multiplied on a GPU: as they are, or rounded for its tensor cores. Sums are float32. */
export type ProductInputs = "f32" | "tf32" | "bf16";
/** How float64 systems are solved on a GPU: in float64, or by float32 factors and refinement to the same accuracy. */
export type SolvePrecision = "f64" | "refined";

export interface SystemInfo {
  /** "cpu (OpenBLAS Haswell, 2 threads)". */
  backend: string;
  threads: number;
}

/** A numerical check of the machine: relative error of products and factors against naive ones, and measured speed. */
export interface SelfTest {
  productError: number;
  factorError: number;
  float32Gigaflops: number;
  float64Gigaflops: number;
}

/**
 * One operation on dense matrices, and which sizes it names:
 * gemm C [rows, columns] = A [rows, inner] Bᵀ; syrk, the lower triangle of C [rows, rows] += Aᵀ A, A [inner, rows];
 * potrf, the Cholesky factor of A [rows, rows]; trsm B [rows, columns] L⁻ᵀ. The last two are float64 alone.
 */
export interface BlasProblem {
  operation: "gemm" | "syrk" | "potrf" | "trsm";
  precision: "float32" | "float64";
  rows: number;
  columns?: number;
  inner?: number;
}

/** Seconds of one call: of the BLAS library on as many threads of its own as this process uses, and of the backend. */
export interface BlasSpeed {
  library: number;
  ours: number;
  /** Floating-point operations of either call. */
  flops: number;
}

export interface NativeAddon {
  /** What the addon was built for. */
  readonly device: "cpu" | "cuda";
  /** Throws ERR_DEVICE, with what is missing, where that device cannot be used. */
  requireDevice(): void;
  /** Before any other use. ERR_INVALID_ARGUMENT for anything but "f32" and "f64" on the CPU, and afterwards, if they
   * differ. */
  setGpuArithmetic(products: ProductInputs, solve: SolvePrecision): void;
  systemInfo(): SystemInfo;
  /** Before any other use; 0 is one per core. ERR_INVALID_ARGUMENT afterwards, if the number differs. */
  setThreads(threads: number): void;
  selfTest(): Promise<SelfTest>;
  /** What of the BLAS library's speed reaches us: for benchmarks and `doctor`, while nothing else runs in this process.
   * ERR_INVALID_ARGUMENT for a size that is missing or zero, or a precision that the operation does not have. */
  measureBlas(problem: BlasProblem): Promise<BlasSpeed>;

  createCancellation(): NativeCancellation;
  /** Copies [rows, cols] values, on the caller's thread: memory that JavaScript owns may be moved or freed later. With a
   * `stride` of at least `cols`, rows begin so many values apart; what lies between them and behind is not looked at. */
  createMatrix(values: Float32Array | Float64Array, rows: number, cols: number, stride?: number): NativeMatrix;
  /** Zeros. */
  allocateMatrix(rows: number, cols: number, type: "float32" | "float64"): Promise<NativeMatrix>;
  /** Maps the files, safetensors or one GGUF file, and reads the weights. Names and shapes are checked against the
   * description. */
  loadModel(
    description: ModelDescription,
    files: string[],
    weights: WeightType,
    cancellation?: NativeCancellation,
  ): Promise<NativeModel>;
  createSecondMoment(width: number, precision: MomentPrecision): Promise<NativeSecondMoment>;
  /** One that goes on from a sum [d, d], symmetric, over `count` keys. */
  createSecondMomentFromSum(sum: NativeMatrix, count: number, precision: MomentPrecision): Promise<NativeSecondMoment>;
  /** Factors C [d, d]; a positive `ridge` ε adds ε·tr(C)/d to the diagonal. ERR_NOT_POSITIVE_DEFINITE names the pivot. */
  createKeySpace(covariance: NativeMatrix, ridge: number): Promise<NativeKeySpace>;
  /** The same from what `factor` gave; `ridge` is what was added to every diagonal element before. */
  createKeySpaceFromFactor(factor: NativeMatrix, ridge: number): Promise<NativeKeySpace>;
  /** The eigenvectors of C [d, d] with eigenvalues below `threshold`. ERR_INVALID_ARGUMENT if there are none. */
  createNullSpace(covariance: NativeMatrix, threshold: number): Promise<NativeKeySpace>;
  createLayerEditor(keySpace: NativeKeySpace, valueWidth: number, memory: EditorMemory): Promise<NativeLayerEditor>;
  /** Operations of one update of `batch` facts after `past` remembered ones, as its report will count them. */
  updateFlops(shape: UpdateShape, past: number, batch: number, form: UpdateForm, bordered: boolean): number;
  /** The form that an editor chooses for the next batch. */
  cheaperForm(shape: UpdateShape, state: FormState, batch: number): UpdateForm;
  /** What a batch asks of a device, but for its updates, in a model that is not there: the very code, with sizes alone. */
  rehearseBatch(batch: RehearsedBatch, cancellation?: NativeCancellation): Promise<BatchRehearsal>;
  /** What the updates of one layer ask of it, batch after batch. ERR_INVALID_ARGUMENT unless sizes are positive. */
  rehearseUpdates(updates: RehearsedUpdates, cancellation?: NativeCancellation): Promise<UpdatesRehearsal>;
  /** (values − outputs) / layersLeft, [u, m] float64. */
  residuals(values: NativeMatrix, outputs: NativeMatrix, layersLeft: number): Promise<NativeMatrix>;
  /** `delta` [m, d] with all but a share of its elements zeroed (RECT). */
  keepTopShare(delta: NativeMatrix, weight: NativeMatrix, share: number): Promise<NativeMatrix>;
  /** `drift` [m, d] with singular values above the largest of `original` compressed (PRUNE). */
  compressSingularValues(drift: NativeMatrix, original: NativeMatrix): Promise<NativeMatrix>;
  /** [m, d], from keys [1, d] and a residual [1, m] (ROME); along the mean key itself where no key space is given. */
  rankOneUpdate(
    keySpace: NativeKeySpace | null,
    meanKey: NativeMatrix,
    key: NativeMatrix,
    residual: NativeMatrix,
  ): Promise<NativeMatrix>;
  /** tr(D C Dᵀ). */
  preservationLoss(drift: NativeMatrix, covariance: NativeMatrix): Promise<number>;
  /** a + scale · b, float64. */
  addScaled(a: NativeMatrix, scale: number, b: NativeMatrix): Promise<NativeMatrix>;
  /** Frobenius. */
  norm(matrix: NativeMatrix): Promise<number>;

  /** Reads every tensor of a safetensors file, floating-point types only. Leading dimensions become rows; a vector is one
   * row. */
  readTensors(path: string): Promise<{ tensors: Record<string, NativeMatrix>; metadata: Record<string, string> }>;
  readMetadata(path: string): Promise<Record<string, string>>;
  /** Writes beside and renames. */
  writeTensors(path: string, tensors: Record<string, NativeMatrix>, metadata: Record<string, string>): Promise<void>;
  /** What stands before the tensors of a GGUF file, as JSON: {"metadata": {key: value}, "tensors": {name: {"type": "Q4_1",
   * "shape": [rows, cols]}}}. (A text, because hundreds of thousands of strings are parsed faster than handed over.) */
  readGgufHeader(path: string): Promise<string>;
  /** One tensor of a GGUF file, float32 (float64 where the file has that); rows as for `readTensors`. */
  readGgufTensor(path: string, name: string): Promise<NativeMatrix>;
}
