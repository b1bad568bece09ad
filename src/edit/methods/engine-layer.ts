import type {
  EditorMemory,
  LedgerBatch,
  NativeKeySpace,
  NativeLayerEditor,
  NativeMatrix,
  UpdateChain,
} from "../../native/addon.js";
import { addon, call } from "../../native/index.js";
import type { LayerReport } from "../report.js";
import type { LayerContext, LayerMethod } from "./layer-method.js";
import type { Matrices, PlainData } from "./method.js";
import type { Weighing } from "./weighing.js";

interface State {
  weighing: PlainData;
  facts: number;
  chain: UpdateChain | null;
}

/** A layer whose drift is the engine's own, with one of its memories: values, keys, or nothing of earlier facts. */
export class EngineLayer implements LayerMethod {
  private report: LayerReport | undefined;

  private constructor(
    private readonly layer: number,
    private readonly memory: EditorMemory,
    private readonly editor: NativeLayerEditor,
    private weighing: Weighing,
  ) {}

  /** @param keySpace - Taken over. */
  static async create(
    context: LayerContext,
    keySpace: NativeKeySpace,
    memory: EditorMemory,
    weighing: Weighing,
  ): Promise<EngineLayer> {
    try {
      return await EngineLayer.over(context, keySpace, memory, weighing);
    } finally {
      keySpace.dispose(); // the editor keeps it alive
    }
  }

  /** @param keySpace - Shared: it stays the caller's to dispose of. */
  static async over(
    { layer, valueWidth }: LayerContext,
    keySpace: NativeKeySpace,
    memory: EditorMemory,
    weighing: Weighing,
  ): Promise<EngineLayer> {
    const editor = await call(() => addon().createLayerEditor(keySpace, valueWidth, memory));
    return new EngineLayer(layer, memory, editor, weighing);
  }

  async update(keys: NativeMatrix, residuals: NativeMatrix): Promise<void> {
    const { weight: least, lossLimit } = this.weighing;
    const { preservationLoss, updateNorm, residualNorm, solveResidual, form, weight } = await call(() =>
      this.editor.update(keys, residuals, least, undefined, undefined, lossLimit),
    );
    if (this.memory === "keys") await call(() => this.editor.remember(keys));
    this.weighing = this.weighing.after(preservationLoss);
    const figures = { weight, updateNorm, residualNorm, solveResidual, form };
    this.report = { layer: this.layer, preservationLoss, ...this.weighing.figures, ...figures };
  }

  async endBatch(): Promise<LayerReport> {
    return this.report!;
  }

  drift(): Promise<NativeMatrix> {
    return call(() => this.editor.drift());
  }

  async state(): Promise<PlainData> {
    const { chain } = await call(() => this.editor.standing());
    return { weighing: this.weighing.state(), facts: this.editor.facts, chain: chain && { ...chain } };
  }

  async ledgerRows(): Promise<Matrices> {
    if (this.memory === "none") return {};
    const { batches } = await call(() => this.editor.standing());
    return { ...(await call(() => this.editor.batch(batches - 1))) };
  }

  async matrices(): Promise<Matrices> {
    if (this.memory === "values") return {};
    return {
      drift: await call(() => this.editor.drift()),
      whitenedDrift: await call(() => this.editor.whitenedDrift()),
    };
  }

  async restore(state: PlainData, { drift, whitenedDrift }: Matrices): Promise<void> {
    const { weighing, facts, chain } = state as unknown as State;
    this.weighing = this.weighing.restored(weighing);
    if (drift && whitenedDrift) await call(() => this.editor.restoreDrift(drift, whitenedDrift));
    if (chain !== null) await call(() => this.editor.restoreChain(chain, facts));
  }

  async replay(rows: Matrices): Promise<void> {
    const { keys, targets, values } = rows as unknown as LedgerBatch;
    if (this.memory === "values") await call(() => this.editor.replay(keys, targets, values));
    if (this.memory === "keys") await call(() => this.editor.remember(keys));
  }

  dispose(): void {
    this.editor.dispose();
  }
}
