import { alphaedit } from "./alphaedit.js";
import { emmet } from "./emmet.js";
import { fineTuning } from "./fine-tuning.js";
import { lyaplock } from "./lyaplock.js";
import { memit } from "./memit.js";
import { memitSequential } from "./memit-sequential.js";
import { prune } from "./prune.js";
import { rect } from "./rect.js";
import { rome } from "./rome.js";

export type { AlphaEditOptions } from "./alphaedit.js";
export type { FineTuningOptions } from "./fine-tuning.js";
export { type LayerByLayerMethod, layerByLayer } from "./layer-by-layer.js";
export type { LayerContext, LayerMethod } from "./layer-method.js";
export { type LyapLockOptions, lyapLockBases, lyapLockBounds } from "./lyaplock.js";
export type { MemitOptions } from "./memit.js";
export type {
  BatchOptions,
  EditingMethod,
  Matrices,
  MethodAtWork,
  MethodContext,
  MethodOptions,
  PlainData,
} from "./method.js";
export type { PruneOptions } from "./prune.js";
export type { RectOptions } from "./rect.js";

/** Every method there is. */
export const methods = { lyaplock, memit, memitSequential, alphaedit, rect, prune, emmet, rome, fineTuning };
