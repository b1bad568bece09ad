import type { LedgerBatch, NativeLayerEditor, NativeMatrix } from "../../native/addon.js";
import { addon, call } from "../../native/index.js";
import type { LayerReport } from "../report.js";
import { VirtualQueue } from "../virtual-queue.js";
import type { EditingMethod, LayerMethod, LayerState } from "./method.js";

export interface LyapLockOptions {
  /** α: the preservation loss is held at or under α times that of the first batch. The paper's default is 60. */
  alpha?: number | undefined;
  /** λ, in place of the hyperparameters' (`mom2_update_weight`). */
  covarianceWeight?: number | undefined;
}

/**
 * LyapLock: every batch minimises the editing error of all facts so far plus μ times the preservation loss, and a virtual
 * queue raises μ while that loss is over its threshold, so that its long-run average stays under it.
 *
 * @see "LyapLock: Bounded Knowledge Preservation in Sequential Large Language Model Editing", section 3; reference, section 9
 */
export function lyaplock({ alpha = 60, covarianceWeight }: LyapLockOptions = {}): EditingMethod {
  VirtualQueue.create({ alpha }); // refuses a bad one here, where it was given
  return {
    name: "lyaplock",
    options: { alpha, ...(covarianceWeight === undefined ? {} : { covarianceWeight }) },
    forLayer: async (layer, keySpace, valueWidth, hyperparameters) => {
      const editor = await call(() => addon().createLayerEditor(keySpace, valueWidth, "values"));
      return new LyapLockLayer(layer, alpha, covarianceWeight ?? hyperparameters.covarianceWeight, editor);
    },
  };
}

class LyapLockLayer implements LayerMethod {
  private queue: VirtualQueue;

  constructor(
    private readonly layer: number,
    alpha: number,
    private readonly covarianceWeight: number,
    private readonly editor: NativeLayerEditor,
  ) {
    this.queue = VirtualQueue.create({ alpha });
  }

  async update(keys: NativeMatrix, residuals: NativeMatrix): Promise<LayerReport> {
    const weight = this.queue.weight(this.covarianceWeight);
    const done = await call(() => this.editor.update(keys, residuals, weight));
    this.queue = this.queue.after(done.preservationLoss);
    return {
      layer: this.layer,
      preservationLoss: done.preservationLoss,
      baseLoss: this.queue.baseLoss,
      threshold: this.queue.threshold,
      queue: this.queue.queue,
      weight,
      updateNorm: done.updateNorm,
      residualNorm: done.residualNorm,
      solveResidual: done.solveResidual,
      form: done.form,
    };
  }

  async state(): Promise<LayerState> {
    const { chain } = await call(() => this.editor.standing());
    return { layer: this.layer, queue: this.queue.toJSON(), facts: this.editor.facts, chain };
  }

  async lastBatch(): Promise<LedgerBatch> {
    const { batches } = await call(() => this.editor.standing());
    return (await call(() => this.editor.batch(batches - 1))) as LedgerBatch; // it remembers values
  }

  async restore({ queue, facts, chain }: LayerState): Promise<void> {
    this.queue = VirtualQueue.create({ alpha: this.queue.alpha }, queue);
    if (chain !== null) await call(() => this.editor.restoreChain(chain, facts));
  }

  replay({ keys, targets, values }: LedgerBatch): Promise<void> {
    return call(() => this.editor.replay(keys, targets, values));
  }

  drift(): Promise<NativeMatrix> {
    return call(() => this.editor.drift());
  }

  dispose(): void {
    this.editor.dispose();
  }
}
