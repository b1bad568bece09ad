import type { LayerReport, ValueReport } from "../edit/report.js";
import type { Statistic } from "../evaluate/index.js";

/** A sign, seen after a batch, that a run is going wrong. Shares are in percent. */
export type Alarm =
  /** A loss is so many percent of its threshold, with the queue awake when the batch was solved. */
  | { kind: "preservation"; layer: number; ofThreshold: number }
  /** Of the first facts of the run fewer are recalled than at best. */
  | { kind: "recall"; recalled: number; best: number }
  /** Facts whose values were not found, among the last and among the first of the run. */
  | { kind: "values"; unconverged: number; first: number };

/** What of a batch alarms are judged by. */
export interface JudgedBatch {
  /** Facts edited so far. */
  edits: number;
  layers: readonly Pick<LayerReport, "layer" | "preservationLoss" | "threshold" | "queue">[];
  /** Facts of the batch whose values were not found; absent in runs of earlier versions. */
  unconverged?: number;
  /** Where it was measured. */
  recalled?: Statistic;
}

/**
 * Over a threshold by more than this a loss has left its band: with α = 22 on atlas it stayed at 98 to 108 % of its threshold once
 * the queue was awake (docs/results.md).
 */
const BAND_PERCENT = 110;

/** Of recall from its best, and of unconverged values from those of the first facts. */
const SHARP_POINTS = 20;

/** Shares of fewer facts are not judged: each of them would be more than five points. */
const FEWEST_FACTS = 20;

/** A mean −log p, per token, over which the target is less probable than everything else together. */
const UNLIKELY_LOSS = Math.LN2;

/**
 * Facts whose value ended with a loss over ln 2. What the divergence and the decay add is in that loss too, so this errs towards
 * counting one more; that alarms are about its rise takes care of it.
 */
export function countUnconverged(values: readonly Pick<ValueReport, "loss">[]): number {
  return values.filter(({ loss }) => !(loss <= UNLIKELY_LOSS)).length;
}

/** What has come to be wrong with the last of these batches, the run's from its first on. What goes on being wrong is not said again. */
export function alarmsAfter(batches: readonly JudgedBatch[]): Alarm[] {
  const known = new Set(wrongAfter(batches.slice(0, -1)).map(about));
  return wrongAfter(batches).filter((alarm) => !known.has(about(alarm)));
}

/**
 * Whether a model that raises it is breaking down. One that is out of its band is not: its queue pulls it back, from further away
 * the smaller α is.
 */
export function isCollapse({ kind }: Alarm): boolean {
  return kind !== "preservation";
}

export function alarmInWords(alarm: Alarm): string {
  switch (alarm.kind) {
    case "preservation":
      return `the preservation loss of layer ${alarm.layer} has left its band: it is ${alarm.ofThreshold.toFixed(0)} % of its threshold, though the queue is awake`;
    case "recall":
      return `the first facts are being forgotten: ${alarm.recalled.toFixed(0)} % of them are still recalled, at best it was ${alarm.best.toFixed(0)} %`;
    case "values":
      return `values no longer converge: for ${alarm.unconverged.toFixed(0)} % of the last facts the target stayed improbable, for ${alarm.first.toFixed(0)} % of the first`;
  }
}

function about(alarm: Alarm): string {
  return alarm.kind === "preservation" ? `layer ${alarm.layer}` : alarm.kind;
}

function wrongAfter(batches: readonly JudgedBatch[]): Alarm[] {
  return [...lossesOutOfBand(batches), ...recallLost(batches), ...valuesLost(batches)];
}

/** Without a queue a threshold holds after each batch. A threshold of 0, of a first batch that changed nothing, has no band. */
function lossesOutOfBand(batches: readonly JudgedBatch[]): Alarm[] {
  const before = batches.at(-2)?.layers;
  return (batches.at(-1)?.layers ?? []).flatMap(({ layer, preservationLoss, threshold, queue }, index) => {
    const wasAwake = queue === null || (before?.[index]?.queue ?? 1) > 1;
    if (threshold === null || threshold === 0 || !wasAwake) return [];
    const ofThreshold = (100 * preservationLoss) / threshold;
    return ofThreshold > BAND_PERCENT ? [{ kind: "preservation" as const, layer, ofThreshold }] : [];
  });
}

function recallLost(batches: readonly JudgedBatch[]): Alarm[] {
  const shares = batches.flatMap(({ recalled }) =>
    recalled === undefined || recalled.count < FEWEST_FACTS ? [] : [recalled.mean],
  );
  const recalled = shares.at(-1);
  if (recalled === undefined) return [];
  const best = shares.reduce((most, share) => Math.max(most, share));
  return best - recalled > SHARP_POINTS ? [{ kind: "recall", recalled, best }] : [];
}

interface CountedBatch {
  facts: number;
  unconverged: number;
}

function valuesLost(batches: readonly JudgedBatch[]): Alarm[] {
  const counted = batches.flatMap(({ edits, unconverged }, index) =>
    unconverged === undefined ? [] : [{ facts: edits - (batches[index - 1]?.edits ?? 0), unconverged }],
  );
  const first = fewestOf(counted);
  const last = fewestOf(counted.toReversed());
  if (first === undefined || last === undefined || first.batches + last.batches > counted.length) return [];
  const alarm: Alarm = { kind: "values", unconverged: last.share, first: first.share };
  return alarm.unconverged - alarm.first > SHARP_POINTS ? [alarm] : [];
}

/** As many batches as have facts enough between them, and the share of these that is unconverged. */
function fewestOf(batches: readonly CountedBatch[]): { batches: number; share: number } | undefined {
  let facts = 0;
  let unconverged = 0;
  for (const [index, batch] of batches.entries()) {
    facts += batch.facts;
    unconverged += batch.unconverged;
    if (facts >= FEWEST_FACTS) return { batches: index + 1, share: (100 * unconverged) / facts };
  }
  return undefined;
}
