import type { Example } from "../run/examples.js";
import type { Seconds } from "../run/seconds.js";
import type { SkippedFact } from "../run/skipped.js";
import type { WeightChange } from "../run/weight-changes.js";
import { figure, quoted, table } from "./table.js";

/** Prompt, what the model said before and what it says now. */
export function describeExamples(examples: readonly Example[]): string {
  return table(
    ["prompt", "was", "shall be", "now"].map((heading) => ({ heading })),
    examples.map(({ prompt, was, target, now }) => [
      quoted(prompt),
      quoted(was, 28),
      quoted(target.trim(), 28),
      now === null ? "" : quoted(now, 28),
    ]),
  );
}

/** How many matrices changed, and by how much. */
export function describeWeightChanges(changes: readonly WeightChange[]): string {
  const rows = changes.map(({ layer, norm, originalNorm, changed, elements }) => [
    String(layer),
    `${((100 * norm) / originalNorm).toFixed(2)} %`,
    `${figure(norm)} of ${figure(originalNorm)}`,
    `${((100 * changed) / elements).toFixed(1)} %`,
  ]);
  const columns = ["layer", "relative change", "Frobenius norms", "elements changed"];
  const matrices = changes.length === 1 ? "1 matrix changed" : `${changes.length} matrices changed`;
  return `${matrices}, each the down-projection of a layer:\n\n${table(
    columns.map((heading) => ({ heading, align: "right" })),
    rows,
  )}${describeRounding(changes)}`;
}

/** What saving in a smaller type has cost, where it has. */
function describeRounding(changes: readonly WeightChange[]): string {
  const worst = changes.reduce((most, { norm, saved }) => Math.max(most, (saved?.rounding ?? 0) / norm), 0);
  if (worst === 0) return "";
  const types = [...new Set(changes.map(({ saved }) => saved?.type))].join(", ");
  const share = `${(100 * worst).toPrecision(2)} % of what editing changed`;
  return `\n\nThey were rounded to ${types} when they were saved, by up to ${share}; --dtype f32 saves them as they are.`;
}

export function describeSeconds(seconds: Seconds): string {
  const { total, ...phases } = seconds;
  const names = (Object.keys(phases) as (keyof typeof phases)[]).filter((name) => phases[name] > 0);
  return `${names.map((name) => `${name} ${phases[name].toFixed(1)} s`).join(", ")}; ${total.toFixed(1)} s in all`;
}

export function describeSkipped(skipped: readonly SkippedFact[]): string {
  const lines = skipped
    .slice(0, 5)
    .map(({ caseId, problems }) => `  ${caseId}: ${problems.map(({ message }) => message).join("; ")}`);
  const more = skipped.length > 5 ? [`  … and ${skipped.length - 5} more`] : [];
  return [`${skipped.length} facts were skipped:`, ...lines, ...more].join("\n");
}
