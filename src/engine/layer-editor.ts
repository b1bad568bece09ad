import type { NativeLayerEditor, UpdateForm, UpdateReport } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import type { KeySpace } from "./key-space.js";
import { Matrix, type MatrixLike, withNative } from "./matrix.js";

export interface UpdateOptions {
  /** Keys of the batch, [u, d]. */
  keys: MatrixLike;
  /** Wanted minus present output of the layer, [u, m]. */
  residuals: MatrixLike;
  /** μ > 0: λ for the first batch, then λ times the queue. */
  weight: number;
  /** Default: the cheaper one. Both give the same drift up to rounding. */
  form?: UpdateForm;
  signal?: AbortSignal;
}

/**
 * Sequential editing of one layer. After every batch its drift D [m, d] is the exact minimiser, in float64, of
 * ‖D K̂ᵀ − Y‖² + μ·tr(D C Dᵀ) over all facts so far, in whitened key space, where that costs the number of facts instead of the cube of the
 * width (LyapLock, equation 13; reference, section 9).
 *
 * @example
 * const editor = await LayerEditor.create(await KeySpace.fromCovariance(covariance), { valueWidth: 1024 });
 * let queue = VirtualQueue.create({ alpha: 60 });
 * const report = await editor.update({ keys, residuals, weight: queue.weight(1000) });
 * queue = queue.after(report.preservationLoss);
 */
export class LayerEditor {
  private constructor(private readonly native: NativeLayerEditor) {}

  /** @param options valueWidth: m, the width of the layer's output. */
  static async create(keySpace: KeySpace, { valueWidth }: { valueWidth: number }): Promise<LayerEditor> {
    return new LayerEditor(await call(() => addon().createLayerEditor(keySpace.native, valueWidth)));
  }

  /** Facts so far. */
  get facts(): number {
    return this.native.facts;
  }

  /** Native memory held. */
  get bytes(): number {
    return this.native.bytes;
  }

  /**
   * Takes in a batch and solves.
   *
   * @throws ERR_SHAPE, ERR_NOT_FINITE, ERR_INVALID_ARGUMENT, ERR_NOT_POSITIVE_DEFINITE, ERR_ABORTED; the editor is then as it was.
   */
  update({ keys, residuals, weight, form, signal }: UpdateOptions): Promise<UpdateReport> {
    return withNative([keys, residuals], (k, r) =>
      call((cancellation) => this.native.update(k!, r!, weight, form, cancellation), signal),
    );
  }

  /** D [m, d] float64: add it to the original weight. */
  async drift(): Promise<Matrix> {
    return new Matrix(await call(() => this.native.drift()));
  }

  dispose(): void {
    this.native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
