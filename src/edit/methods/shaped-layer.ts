import type { NativeKeySpace, NativeMatrix } from "../../native/addon.js";
import { addon, call } from "../../native/index.js";
import type { LayerReport } from "../report.js";
import { copyOf } from "./copy.js";
import type { LayerContext, LayerMethod } from "./layer-method.js";
import type { Matrices, PlainData } from "./method.js";
import type { Weighing } from "./weighing.js";

/** How the changes of a layer come to be that remembers no fact. */
export interface ShapedLayerOptions {
  weighing: Weighing;
  /** Makes of a batch's change Δ [m, d] what is kept of it, once all layers have taken the batch in. `weight` is W [m, d]
   * as it was before. */
  shape(delta: NativeMatrix, weight: NativeMatrix): Promise<NativeMatrix>;
}

/** What is known of a batch before its drift is shaped. */
interface Solved {
  before: NativeMatrix;
  /** W [m, d] as it was. */
  weight: NativeMatrix;
  /** What the solution adds to the drift, [m, d]. */
  delta: NativeMatrix;
  figures: Pick<LayerReport, "weight" | "residualNorm" | "solveResidual" | "form">;
}

/** A layer whose changes are shaped once they are in all layers. It keeps its drift itself: the engine only solves for each batch. */
export class ShapedLayer implements LayerMethod {
  readonly changesAtEnd = true;
  private weighing: Weighing;
  private solved: Solved | undefined;

  private constructor(
    private readonly context: LayerContext,
    private readonly keySpace: NativeKeySpace,
    private readonly options: ShapedLayerOptions,
    private current: NativeMatrix,
  ) {
    this.weighing = options.weighing;
  }

  static async create(context: LayerContext, options: ShapedLayerOptions): Promise<ShapedLayer> {
    const keySpace = await context.keySpace();
    try {
      const drift = await call(() => addon().allocateMatrix(context.valueWidth, keySpace.width, "float64"));
      return new ShapedLayer(context, keySpace, options, drift);
    } catch (error) {
      keySpace.dispose();
      throw error;
    }
  }

  async update(keys: NativeMatrix, residuals: NativeMatrix): Promise<void> {
    const { layer, model, valueWidth } = this.context;
    const { weight: mu } = this.weighing;
    const before = this.current;
    const editor = await call(() => addon().createLayerEditor(this.keySpace, valueWidth, "none"));
    try {
      const { solveResidual, residualNorm, form } = await call(() => editor.update(keys, residuals, mu));
      const delta = await call(() => editor.drift()); // a fresh editor's drift is its one change
      const weight = await call(() => model.native.weight(layer));
      this.current = await call(() => addon().addScaled(before, 1, delta));
      this.solved = { before, weight, delta, figures: { weight: mu, residualNorm, solveResidual, form } };
    } finally {
      editor.dispose();
    }
  }

  async endBatch(): Promise<LayerReport> {
    const { before, weight, delta, figures } = this.solved!;
    this.solved = undefined;
    const kept = await this.options.shape(delta, weight);
    this.current.dispose();
    this.current = await call(() => addon().addScaled(before, 1, kept));
    const updateNorm = await call(() => addon().norm(kept));
    for (const matrix of [before, weight, delta, kept]) matrix.dispose();

    const preservationLoss = await call(() => this.keySpace.driftLoss(this.current));
    this.weighing = this.weighing.after(preservationLoss);
    return { layer: this.context.layer, preservationLoss, ...this.weighing.figures, ...figures, updateNorm };
  }

  /** A matrix of its own, which the layer does not touch any more. */
  drift(): Promise<NativeMatrix> {
    return copyOf(this.current);
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
    const restored = await copyOf(drift!);
    this.current.dispose();
    this.current = restored;
  }

  async replay(): Promise<void> {}

  dispose(): void {
    this.current.dispose();
    this.keySpace.dispose();
  }
}
