import { LyaplockError } from "../errors.js";
import type { EditorMemory, NativeLayerEditor, UpdateChain, UpdateForm, UpdateReport } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import type { KeySpace } from "./key-space.js";
import { Matrix, type MatrixLike, withNative } from "./matrix.js";

export interface LayerEditorOptions {
  /** m, the width of the layer's output. */
  valueWidth: number;
  /**
   * What is remembered of earlier facts. "values" (default): what they reached, which every later update keeps as well as it
   * can (LyapLock). "keys": their keys, which later updates disturb as little as they can; see `remember` (MEMIT in
   * sequence, AlphaEdit). "none": nothing (MEMIT, EMMET).
   */
  memory?: EditorMemory;
}

export interface UpdateOptions {
  /** Keys of the batch, [u, d]. */
  keys: MatrixLike;
  /** Wanted minus present output of the layer, [u, m]. */
  residuals: MatrixLike;
  /** μ > 0: λ for the first batch, then λ times the queue. 0, with memory "none": the residuals are met exactly (EMMET). */
  weight: number;
  /**
   * A bound on the preservation loss after this update, per corpus token; needs memory "values" and a key space of a second
   * moment that was factored. μ is then the smallest from `weight` on whose loss is within the limit, found to 0.05 % of the
   * limit: the loss ends at or under it, and no less than 0.9995 of it unless `weight` itself will do. It takes a few
   * factorisations in place of one; `UpdateReport.weight` is what it found. Default: no limit.
   */
  lossLimit?: number;
  /** Default: the cheaper one. Both give the same drift up to rounding. */
  form?: UpdateForm;
  signal?: AbortSignal;
}

/** What `export` gives: all that cannot be computed again. The matrices are float64 and the holder's to dispose of. */
export interface LayerEditorState {
  memory: EditorMemory;
  valueWidth: number;
  /** Null before the first update, and with another memory than "values". */
  chain: UpdateChain | null;
  /** The ledger: keys [u, d]; with memory "values" what was aimed at and what was reached, [u, m]. */
  batches: { keys: Matrix; targets?: Matrix; values?: Matrix }[];
  /** D [m, d] and its whitened rows [m, rank], with another memory than "values". */
  drift?: { lifted: Matrix; whitened: Matrix };
}

/**
 * Sequential editing of one layer. After every batch its drift D [m, d] is the exact minimiser, in float64, of
 * ‖D K̂ᵀ − Y‖² + μ·tr(D C Dᵀ) over all facts so far, in whitened key space, where that costs the number of facts instead of the cube of the
 * width (LyapLock, equation 13; reference, section 9). With a memory of keys or of nothing, each batch adds the change that
 * minimises its own error plus μ times the loss of the change (MEMIT, equation 14).
 *
 * @example
 * const editor = await LayerEditor.create(await KeySpace.fromCovariance(covariance), { valueWidth: 1024 });
 * let queue = VirtualQueue.create({ alpha: 60 });
 * const report = await editor.update({ keys, residuals, weight: queue.weight(1000) });
 * queue = queue.after(report.preservationLoss);
 */
export class LayerEditor {
  private constructor(
    private readonly native: NativeLayerEditor,
    private readonly valueWidth: number,
    readonly memory: EditorMemory,
  ) {}

  static async create(keySpace: KeySpace, { valueWidth, memory = "values" }: LayerEditorOptions): Promise<LayerEditor> {
    const native = await call(() => addon().createLayerEditor(keySpace.native, valueWidth, memory));
    return new LayerEditor(native, valueWidth, memory);
  }

  /** Facts remembered, as of the last call that ended. */
  get facts(): number {
    return this.native.facts;
  }

  /** Native memory held beside the key space, likewise. */
  get bytes(): number {
    return this.native.bytes;
  }

  /**
   * Takes in a batch and solves.
   *
   * @throws ERR_SHAPE, ERR_NOT_FINITE, ERR_INVALID_ARGUMENT (also for a `lossLimit` that no weight keeps),
   *   ERR_NOT_POSITIVE_DEFINITE, ERR_ABORTED; the editor is then as it was.
   */
  update({ keys, residuals, weight, lossLimit, form, signal }: UpdateOptions): Promise<UpdateReport> {
    return withNative([keys, residuals], (k, r) =>
      call((cancellation) => this.native.update(k!, r!, weight, form, cancellation, lossLimit), signal),
    );
  }

  /**
   * With memory "keys": these keys [u, d] stay. The published methods read the keys of a batch again for this once it is in the
   * weights of all layers (reference, section 10.2); as a layer's keys depend on the layers below it alone, which are final
   * when it is solved for, those it was solved with are the same.
   *
   * @throws ERR_SHAPE, ERR_NOT_FINITE, ERR_INVALID_ARGUMENT
   */
  remember({ keys }: { keys: MatrixLike }): Promise<void> {
    return withNative([keys], (matrix) => call(() => this.native.remember(matrix!)));
  }

  /**
   * D [m, d] float64: add it to the original weight. It shares the editor's memory: read it, do not write to it; dispose of it
   * before the next update, which otherwise has to copy.
   */
  async drift(): Promise<Matrix> {
    return new Matrix(await call(() => this.native.drift()));
  }

  /** What the last update changed of D, likewise; zero before the first, and after one that failed. */
  async delta(): Promise<Matrix> {
    return new Matrix(await call(() => this.native.delta()));
  }

  /** All that cannot be computed again, as copies. */
  async export(): Promise<LayerEditorState> {
    const { native, valueWidth, memory } = this;
    const { batches: count, chain } = await call(() => native.standing());
    const batches: LayerEditorState["batches"] = [];
    for (let i = 0; i < count; i++) {
      const { keys, targets, values } = await call(() => native.batch(i));
      const kept = targets && values ? { targets: new Matrix(targets), values: new Matrix(values) } : {};
      batches.push({ keys: new Matrix(keys), ...kept });
    }
    if (memory === "values") return { memory, valueWidth, chain, batches };
    const drift = {
      lifted: new Matrix(await call(() => native.drift())),
      whitened: new Matrix(await call(() => native.whitenedDrift())),
    };
    return { memory, valueWidth, chain: null, batches, drift };
  }

  /**
   * An editor that goes on where another stood, to the same bits.
   *
   * @param keySpace as it was; nothing of it is in the state.
   * @throws ERR_SHAPE, ERR_NOT_FINITE, ERR_INVALID_ARGUMENT for a state that does not hold together
   */
  static async import(
    keySpace: KeySpace,
    { memory, valueWidth, chain, batches, drift }: LayerEditorState,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<LayerEditor> {
    const editor = await LayerEditor.create(keySpace, { valueWidth, memory });
    try {
      if (memory !== "values") {
        if (!drift) throw incomplete("the drift");
        await call(() => editor.native.restoreDrift(drift.lifted.native, drift.whitened.native));
        for (const { keys } of batches) await editor.remember({ keys });
        return editor;
      }
      if (batches.length === 0) return editor;
      if (!chain) throw incomplete("the chain of its last updates");
      const facts = batches.reduce((sum, { keys }) => sum + keys.rows, 0);
      await call(() => editor.native.restoreChain(chain, facts));
      for (const { keys, targets, values } of batches) {
        if (!targets || !values) throw incomplete("the values of a batch");
        await call(
          (cancellation) => editor.native.replay(keys.native, targets.native, values.native, cancellation),
          signal,
        );
      }
      return editor;
    } catch (error) {
      editor.dispose();
      throw error;
    }
  }

  dispose(): void {
    this.native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function incomplete(what: string): LyaplockError {
  return new LyaplockError("ERR_INVALID_ARGUMENT", `the state of a layer editor lacks ${what}; export it again`);
}
