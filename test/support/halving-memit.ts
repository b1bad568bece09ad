import { KeySpace, LayerEditor, Matrix } from "../../src/engine.js";
import {
  type EditingMethod,
  type LayerContext,
  type LayerMethod,
  type LayerReport,
  layerByLayer,
  type Matrices,
  type NativeMatrix,
  type PlainData,
} from "../../src/index.js";

/** MEMIT whose weight of what is preserved halves with every batch: later facts are written harder. */
export function halvingMemit(): EditingMethod {
  return layerByLayer({
    name: "halving-memit",
    options: {},
    forLayer: async (context) => {
      const keySpace = new KeySpace(await context.keySpace());
      const editor = await LayerEditor.create(keySpace, { valueWidth: context.valueWidth, memory: "none" });
      return new HalvingLayer(context, keySpace, editor);
    },
  });
}

class HalvingLayer implements LayerMethod {
  private batches = 0;
  private baseLoss = 0;
  private report: LayerReport | undefined;

  constructor(
    private readonly context: LayerContext,
    private readonly keySpace: KeySpace,
    private editor: LayerEditor,
  ) {}

  async update(keys: NativeMatrix, residuals: NativeMatrix): Promise<void> {
    const weight = this.context.hyperparameters.covarianceWeight / 2 ** this.batches;
    const facts = { keys: new Matrix(keys), residuals: new Matrix(residuals) };
    const { preservationLoss, updateNorm, residualNorm, solveResidual, form } = await this.editor.update({
      ...facts,
      weight,
    });
    if (this.batches === 0) this.baseLoss = preservationLoss;
    this.batches += 1;
    const bound = { baseLoss: this.baseLoss, threshold: null, queue: null };
    const solved = { weight, updateNorm, residualNorm, solveResidual, form };
    this.report = { layer: this.context.layer, preservationLoss, ...bound, ...solved };
  }

  async endBatch(): Promise<LayerReport> {
    return this.report!;
  }

  async drift(): Promise<NativeMatrix> {
    return (await this.editor.drift()).native;
  }

  async state(): Promise<PlainData> {
    return { batches: this.batches, baseLoss: this.baseLoss };
  }

  /** It remembers no fact; a method that does gives the rows here that the last batch added. */
  async ledgerRows(): Promise<Matrices> {
    return {};
  }

  async matrices(): Promise<Matrices> {
    const { drift } = await this.editor.export();
    return { drift: drift!.lifted.native, whitened: drift!.whitened.native };
  }

  async restore(state: PlainData, { drift, whitened }: Matrices): Promise<void> {
    const { batches, baseLoss } = state as { batches: number; baseLoss: number };
    this.batches = batches;
    this.baseLoss = baseLoss;
    this.editor.dispose();
    this.editor = await LayerEditor.import(this.keySpace, {
      memory: "none",
      valueWidth: this.context.valueWidth,
      chain: null,
      batches: [],
      drift: { lifted: new Matrix(drift!), whitened: new Matrix(whitened!) },
    });
  }

  async replay(): Promise<void> {}

  dispose(): void {
    this.editor.dispose();
    this.keySpace.dispose();
  }
}
