import type { NativeKeySpace, NativeMatrix } from "../../native/addon.js";
import { addon, call } from "../../native/index.js";
import type { LayerReport } from "../report.js";
import { copyOf } from "./copy.js";
import { EngineLayer } from "./engine-layer.js";
import { layerByLayer } from "./layer-by-layer.js";
import type { LayerContext, LayerMethod } from "./layer-method.js";
import type { MemitOptions } from "./memit.js";
import type { EditingMethod, Matrices, PlainData } from "./method.js";
import { ConstantWeight, checkCovarianceWeight, type Weighing } from "./weighing.js";

export interface PruneOptions extends MemitOptions {
  /**
   * Adds the compressed drift to the edited weights, as the published LyapLock code does by accident, instead of to the original
   * ones (reference, Q3). Default false.
   */
  addsToEdited?: boolean | undefined;
}

/**
 * PRUNE: MEMIT for the whole run, and after its last batch the singular values of each drift that are larger than the largest of
 * the original weight are compressed. Until then it is MEMIT. Published with MEMIT's λ.
 *
 * @see "Perturbation-Restrained Sequential Model Editing", section 4; reference, section 10.4
 */
export function prune({ covarianceWeight, addsToEdited = false }: PruneOptions = {}): EditingMethod {
  checkCovarianceWeight(covarianceWeight);
  return layerByLayer({
    name: "prune",
    options: {
      ...(covarianceWeight === undefined ? {} : { covarianceWeight }),
      ...(addsToEdited ? { addsToEdited } : {}),
    },
    forLayer: async (context) => {
      const weighing = new ConstantWeight(covarianceWeight ?? context.hyperparameters.covarianceWeight);
      return PrunedLayer.create(context, weighing, addsToEdited);
    },
  });
}

/** A layer whose drift is compressed after the last batch. */
export class PrunedLayer implements LayerMethod {
  private last: LayerReport | undefined;
  private compressed: NativeMatrix | undefined;

  private constructor(
    private readonly context: LayerContext,
    private readonly inner: LayerMethod,
    private readonly keySpace: NativeKeySpace,
    private readonly addsToEdited: boolean,
  ) {}

  static async create(context: LayerContext, weighing: Weighing, addsToEdited = false): Promise<PrunedLayer> {
    const keySpace = await context.keySpace();
    try {
      const inner = await EngineLayer.over(context, keySpace, "none", weighing);
      return new PrunedLayer(context, inner, keySpace, addsToEdited);
    } catch (error) {
      keySpace.dispose();
      throw error;
    }
  }

  update(keys: NativeMatrix, residuals: NativeMatrix): Promise<void> {
    return this.inner.update(keys, residuals);
  }

  async endBatch(): Promise<LayerReport> {
    this.last = await this.inner.endBatch();
    return this.last;
  }

  async finish(): Promise<LayerReport> {
    const { layer, model } = this.context;
    const drift = await this.inner.drift();
    const original = await call(() => model.native.originalWeight(layer));
    const compressed = await call(() => addon().compressSingularValues(drift, original));
    this.compressed = this.addsToEdited ? await call(() => addon().addScaled(drift, 1, compressed)) : compressed;
    const change = await call(() => addon().addScaled(this.compressed!, -1, drift));
    const updateNorm = await call(() => addon().norm(change));
    for (const matrix of [drift, original, change]) matrix.dispose();
    const preservationLoss = await call(() => this.keySpace.driftLoss(this.compressed!));
    return { ...this.last!, preservationLoss, updateNorm };
  }

  async drift(): Promise<NativeMatrix> {
    const { compressed } = this;
    return compressed === undefined ? this.inner.drift() : copyOf(compressed);
  }

  async state(): Promise<PlainData> {
    return { inner: await this.inner.state(), last: (this.last ?? null) as unknown as PlainData };
  }

  ledgerRows(): Promise<Matrices> {
    return this.inner.ledgerRows();
  }

  matrices(): Promise<Matrices> {
    return this.inner.matrices();
  }

  restore(state: PlainData, matrices: Matrices): Promise<void> {
    const { inner, last } = state as unknown as { inner: PlainData; last: LayerReport | null };
    this.last = last ?? undefined;
    return this.inner.restore(inner, matrices);
  }

  replay(rows: Matrices): Promise<void> {
    return this.inner.replay(rows);
  }

  dispose(): void {
    this.inner.dispose();
    this.compressed?.dispose();
    this.keySpace.dispose();
  }
}
