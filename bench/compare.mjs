import Benchmark from "benchmark";
import { summarize } from "./statistics.mjs";
import { percent, seconds, times } from "./table.mjs";

/**
 * Times rivals in one run: a row for each with its median seconds, their spread, and how many times slower than the first
 * it is.
 *
 * @param rivals {Record<string, () => Promise<void>>} the first is ours; each must have been verified before.
 */
export async function compare(rivals) {
  const rows = [];
  for (const [rival, work] of Object.entries(rivals)) rows.push({ rival, ...(await time(work)) });
  return rows.map((row) => ({ ...row, timesOurs: row.median / rows[0].median }));
}

/** The columns of `compare`'s rows. */
export const comparison = [
  ["way", (row) => row.rival],
  ["median, s", (row) => seconds(row.median)],
  ["spread", (row) => percent(row.spread)],
  ["samples", (row) => row.samples],
  ["times ours", (row) => times(row.timesOurs)],
];

/**
 * Seconds that work takes, over five calls or more.
 *
 * @param work {() => Promise<void>}
 * @returns {Promise<{ median: number, spread: number, samples: number }>}
 */
export function time(work, { minSamples = 5, maxTime = 3 } = {}) {
  return new Promise((resolve, reject) => {
    new Benchmark({
      defer: true,
      minSamples,
      maxTime,
      fn: (deferred) => work().then(() => deferred.resolve(), reject),
      onComplete: ({ target: { stats, error } }) => (error ? reject(error) : resolve(summarize(stats.sample))),
    }).run({ async: true });
  });
}
