import type { Hyperparameters } from "../edit/hyperparameters.js";
import { type EditingMethod, type LyapLockOptions, methods } from "../edit/methods/index.js";
import { LyaplockError } from "../errors.js";

/** The methods by the names that a command line knows them by. */
const byName = {
  lyaplock: methods.lyaplock,
  memit: methods.memit,
  "memit-sequential": methods.memitSequential,
  alphaedit: methods.alphaedit,
  rect: methods.rect,
  prune: methods.prune,
  emmet: methods.emmet,
  rome: methods.rome,
  ft: methods.fineTuning,
};

export type MethodName = keyof typeof byName;
export const methodNames = Object.keys(byName) as MethodName[];

/** Which method, and what is asked of it; null or left out where its default is to be used. */
export interface MethodChoice {
  method: MethodName;
  /** Of LyapLock alone, and so are the others. */
  alpha?: number | null | undefined;
  base?: LyapLockOptions["base"] | null;
  bound?: LyapLockOptions["bound"] | null;
}

/** The paper's default. */
const usualAlpha = 60;

/**
 * The method that was asked for. What it is not asked comes from the hyperparameters.
 *
 * @throws ERR_INVALID_ARGUMENT for an option of another method
 */
export function chooseMethod(
  { method, alpha, base, bound }: MethodChoice,
  hyperparameters: Hyperparameters,
): EditingMethod {
  if (method === "lyaplock") {
    const usual = hyperparameters.alpha ?? usualAlpha;
    return methods.lyaplock({ alpha: alpha ?? usual, base: base ?? undefined, bound: bound ?? undefined });
  }
  for (const [name, value] of Object.entries({ alpha, base, bound })) {
    if (value === null || value === undefined) continue;
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `${method} has no ${name}; only lyaplock has`);
  }
  return byName[method]();
}

/** A method as it is recorded. */
export interface MethodRecord extends Readonly<Record<string, number | string | boolean>> {
  name: string;
}

export function methodRecord({ name, options }: EditingMethod): MethodRecord {
  return { name, ...options };
}

/** "lyaplock (alpha 60)". */
export function methodInWords({ name, ...options }: MethodRecord): string {
  const list = Object.entries(options).map(([option, value]) => `${option} ${value}`);
  return list.length === 0 ? name : `${name} (${list.join(", ")})`;
}
