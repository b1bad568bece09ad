/**
 * What a sample of seconds says: its median, and as its spread the interquartile range over the median.
 *
 * @param sample {number[]} at least one.
 */
export function summarize(sample) {
  const sorted = [...sample].sort((a, b) => a - b);
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, spread: (at(0.75) - at(0.25)) / median, samples: sorted.length };
}
