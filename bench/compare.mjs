import Benchmark from "benchmark";

/**
 * Times rivals in one run and prints median seconds of each, their spread, and how many times slower than the first it is.
 *
 * @param rivals {Record<string, () => Promise<void>>} the first is ours; each must have been verified before.
 */
export async function compare(rivals) {
  const rows = [];
  for (const [name, work] of Object.entries(rivals)) rows.push({ name, ...(await time(work)) });
  const ours = rows[0].median;
  console.table(
    rows.map(({ name, median, spread, samples }) => ({
      name,
      "median, s": median.toPrecision(3),
      "spread, %": (100 * spread).toFixed(0),
      samples,
      "times ours": (median / ours).toFixed(2),
    })),
  );
}

function time(work) {
  return new Promise((resolve, reject) => {
    new Benchmark({
      defer: true,
      minSamples: 5,
      maxTime: 3,
      fn: (deferred) => work().then(() => deferred.resolve(), reject),
      onComplete({ target: { stats, error } }) {
        if (error) return reject(error);
        const sorted = [...stats.sample].sort((a, b) => a - b);
        const at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
        resolve({ median: at(0.5), spread: (at(0.75) - at(0.25)) / at(0.5), samples: sorted.length });
      },
    }).run({ async: true });
  });
}
