/** A size of memory for people, in the unit that leaves at most three digits before the point: "21.4 MiB", "1.25 GiB", "8.0 TiB". */
export function memorySize(bytes: number): string {
  const mebibytes = bytes / 2 ** 20;
  if (mebibytes < 1000) return `${mebibytes.toFixed(1)} MiB`;
  const gibibytes = mebibytes / 1024;
  if (gibibytes < 1000) return `${gibibytes.toFixed(2)} GiB`;
  return `${(gibibytes / 1024).toFixed(1)} TiB`;
}
