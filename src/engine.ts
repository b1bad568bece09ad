/**
 * The algebra of sequential editing, for people who bring their own activations.
 *
 * @module
 */

export { type QueueState, VirtualQueue } from "./edit/virtual-queue.js";
export { KeySpace } from "./engine/key-space.js";
export {
  LayerEditor,
  type LayerEditorOptions,
  type LayerEditorState,
  type UpdateOptions,
} from "./engine/layer-editor.js";
export { Matrix, type MatrixLike } from "./engine/matrix.js";
export { MomentAccumulator, type MomentState } from "./engine/moment-accumulator.js";
export {
  compressSingularValues,
  keepTopShare,
  preservationLoss,
  type RankOneFact,
  rankOneUpdate,
} from "./engine/shaping.js";
export { type ErrorCode, LyaplockError } from "./errors.js";
export type {
  EditorMemory,
  MomentPrecision,
  NativeKeySpace,
  NativeMatrix,
  UpdateChain,
  UpdateForm,
  UpdateReport,
} from "./native/addon.js";
