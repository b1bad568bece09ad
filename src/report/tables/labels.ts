import type { RunFiles } from "../../run/index.js";

/** A run that has ended: its summary is there. */
export type FinishedRun = RunFiles & { summary: NonNullable<RunFiles["summary"]> };

/** Methods as the papers write them, in the order of the paper's tables. */
const titles: Record<string, string> = {
  ft: "FT",
  rome: "ROME",
  emmet: "EMMET",
  memit: "MEMIT",
  "memit-sequential": "MEMIT, sequential",
  prune: "PRUNE",
  rect: "RECT",
  alphaedit: "AlphaEdit",
  lyaplock: "LyapLock",
};

export function methodTitle(name: string): string {
  return titles[name] ?? name;
}

/** What a run's method was asked, its α apart: "LyapLock + RECT, each batch". */
export function methodLabel({ record: { method } }: RunFiles): string {
  const base = typeof method.base === "string" ? ` + ${methodTitle(method.base)}` : "";
  return `${methodTitle(method.name)}${base}${method.bound === "each-batch" ? ", each batch" : ""}`;
}

/**
 * A name for each of some runs: its method, with its α where others have the same method, and with its own name where that is
 * still not enough. Runs on different `places` may share one.
 */
export function labelAmong<Run extends RunFiles>(
  runs: readonly Run[],
  placeOf: (run: Run) => string = ({ record }) => `${record.model.name} ${record.dataset.name}`,
): (run: Run) => string {
  const withAlpha = (run: RunFiles) => {
    const alpha = alphaOf(run);
    return alpha === null ? methodLabel(run) : `${methodLabel(run)}, α = ${alpha}`;
  };
  const isAlone = (run: Run, label: (run: RunFiles) => string) =>
    runs.filter((other) => placeOf(other) === placeOf(run) && label(other) === label(run)).length < 2;
  return (run) => {
    if (isAlone(run, methodLabel)) return methodLabel(run);
    return isAlone(run, withAlpha) ? withAlpha(run) : `${withAlpha(run)} (${run.name})`;
  };
}

/** Null for methods without one. */
export function alphaOf({ record: { method } }: RunFiles): number | null {
  return typeof method.alpha === "number" ? method.alpha : null;
}

/** Facts that were to be edited: what a table is about, though some may have been left out. */
export function editsOf({ record, summary }: FinishedRun): number {
  return record.asked.edits ?? summary.edits;
}

/** In the order of the paper's tables; what it does not know comes last. */
export function byMethod(a: RunFiles, b: RunFiles): number {
  const place = ({ record }: RunFiles) => {
    const index = Object.keys(titles).indexOf(record.method.name);
    return index < 0 ? Infinity : index;
  };
  const order = (run: RunFiles) => [place(run), methodLabel(run).length, alphaOf(run) ?? 0];
  const [left, right] = [order(a), order(b)];
  const first = left.findIndex((value, index) => value !== right[index]);
  return first < 0 ? 0 : left[first]! - right[first]!;
}

/** Things in groups of one key, in the order in which the keys first come. */
export function groupBy<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return groups;
}
