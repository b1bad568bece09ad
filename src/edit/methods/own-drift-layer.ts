import type { NativeKeySpace, NativeMatrix } from "../../native/addon.js";
import { addon, call } from "../../native/index.js";
import type { LayerReport } from "../report.js";
import type { LayerContext, LayerMethod } from "./layer-method.js";
import type { Matrices, PlainData } from "./method.js";
import type { Weighing } from "./weighing.js";

/** What a layer's drift is made of that remembers no fact. */
export interface OwnDriftOptions {
  weighing: Weighing;
  /**
   * Whether the drift itself is weighed. True: a batch is solved with the whole drift, so that what is preserved pulls it back
   * to the original weight (reference, section 9, without the past sums). False: with its own change alone (MEMIT).
   */
  pullsBack: boolean;
  /** Makes of a batch's change Δ [m, d] what is kept of it, once all layers have taken the batch in. `weight` is W [m, d]
   * as it was before. */
  shape?(delta: NativeMatrix, weight: NativeMatrix): Promise<NativeMatrix>;
}

/** What is known of a batch before its drift is shaped. */
interface Solved {
  before: NativeMatrix;
  /** W [m, d] as it was, for what shapes. */
  weight: NativeMatrix | undefined;
  figures: Pick<LayerReport, "weight" | "residualNorm" | "solveResidual" | "form">;
}

/** A layer that keeps its drift itself, because its method shapes it: the engine only solves for each batch. */
export class OwnDriftLayer implements LayerMethod {
  readonly changesAtEnd: boolean;
  private weighing: Weighing;
  private solved: Solved | undefined;

  private constructor(
    private readonly context: LayerContext,
    private readonly keySpace: NativeKeySpace,
    private readonly options: OwnDriftOptions,
    private current: NativeMatrix,
  ) {
    this.weighing = options.weighing;
    this.changesAtEnd = options.shape !== undefined;
  }

  static async create(context: LayerContext, options: OwnDriftOptions): Promise<OwnDriftLayer> {
    const keySpace = await context.keySpace();
    try {
      const drift = await call(() => addon().allocateMatrix(context.valueWidth, keySpace.width, "float64"));
      return new OwnDriftLayer(context, keySpace, options, drift);
    } catch (error) {
      keySpace.dispose();
      throw error;
    }
  }

  async update(keys: NativeMatrix, residuals: NativeMatrix): Promise<void> {
    const { layer, model, valueWidth } = this.context;
    const { pullsBack, shape } = this.options;
    const { weight } = this.weighing;
    const before = this.current;
    const editor = await call(() => addon().createLayerEditor(this.keySpace, valueWidth, "none"));
    try {
      // What solves for all that the whole drift shall reach, instead of for what is missing, is the whole drift.
      const wanted = pullsBack ? await call(() => addon().driftTargets(before, keys, residuals)) : residuals;
      const { solveResidual, form } = await call(() => editor.update(keys, wanted, weight));
      const change = await call(() => editor.drift());
      this.current = pullsBack ? change : await call(() => addon().addScaled(before, 1, change));
      const residualNorm = await call(() => addon().norm(residuals));
      const figures = { weight, residualNorm, solveResidual, form };
      this.solved = { before, weight: shape && (await call(() => model.native.weight(layer))), figures };
    } finally {
      editor.dispose();
    }
  }

  async endBatch(): Promise<LayerReport> {
    const { before, weight, figures } = this.solved!;
    const { shape } = this.options;
    this.solved = undefined;
    const delta = await call(() => addon().addScaled(this.current, -1, before));
    const kept = shape && weight ? await shape(delta, weight) : delta;
    if (kept !== delta) this.current = await call(() => addon().addScaled(before, 1, kept));
    const updateNorm = await call(() => addon().norm(kept));
    for (const matrix of new Set([before, weight, delta, kept])) matrix?.dispose();

    const preservationLoss = await call(() => this.keySpace.driftLoss(this.current));
    this.weighing = this.weighing.after(preservationLoss);
    return { layer: this.context.layer, preservationLoss, ...this.weighing.figures, ...figures, updateNorm };
  }

  /** A matrix of its own, which the layer does not touch any more. */
  drift(): Promise<NativeMatrix> {
    return call(() => addon().addScaled(this.current, 0, this.current));
  }

  async state(): Promise<PlainData> {
    return { weighing: this.weighing.state() };
  }

  async ledgerRows(): Promise<Matrices> {
    return {};
  }

  async matrices(): Promise<Matrices> {
    return { drift: await this.drift() };
  }

  async restore(state: PlainData, { drift }: Matrices): Promise<void> {
    this.weighing = this.weighing.restored((state as { weighing: PlainData }).weighing);
    this.current = await call(() => addon().addScaled(drift!, 0, drift!));
  }

  async replay(): Promise<void> {}

  dispose(): void {
    this.current.dispose();
    this.keySpace.dispose();
  }
}
