import type { ListedMoment } from "../data/index.js";
import { table } from "./table.js";

/** What is in the cache of second moments, a line each. */
export function describeListedMoments({
  directory,
  entries,
}: {
  directory?: string;
  entries: readonly ListedMoment[];
}): string {
  if (entries.length === 0) return `There are no second moments in ${directory}`;
  const columns = [
    { heading: "model" },
    { heading: "layer", align: "right" as const },
    { heading: "tokens", align: "right" as const },
    { heading: "longest", align: "right" as const },
    { heading: "precision" },
    { heading: "MiB", align: "right" as const },
    { heading: "made" },
    { heading: "state" },
    { heading: "file" },
  ];
  const rows = entries.map((entry) => [
    entry.model ?? "–",
    String(entry.layer ?? "–"),
    String(entry.tokens ?? "–"),
    String(entry.maxLength ?? "–"),
    entry.precision ?? "–",
    (entry.bytes / 2 ** 20).toFixed(1),
    entry.created?.slice(0, 10) ?? "–",
    entry.reason === undefined ? entry.state : `${entry.state}: ${entry.reason}`,
    shortened(entry.path),
  ]);
  const place = directory === undefined ? "" : `\n\nin ${directory}`;
  return `${table(columns, rows)}${place}`;
}

/** The name without most of its hash: enough to find the file by. */
function shortened(path: string): string {
  const name = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  return name.replace(/^([0-9a-f]{8})[0-9a-f]{56}/, "$1…");
}
