import { lyaplock } from "./lyaplock.js";

export type { LyapLockOptions } from "./lyaplock.js";
export type { EditingMethod, LayerMethod, LayerState } from "./method.js";

/** Every method there is. */
export const methods = { lyaplock };
