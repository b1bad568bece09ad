import type { TraceSummary } from "../run/index.js";
import { type RoleEffects, type TokenRole, type TraceKind, tokenRoles } from "../trace/index.js";
import { table } from "./table.js";

const kindNames: Record<TraceKind, string> = {
  state: "hidden states",
  mlp: "MLP outputs",
  attention: "attention outputs",
};

const roleNames: Record<TokenRole, string> = {
  firstSubject: "first\nsubject",
  middleSubject: "middle\nsubject",
  lastSubject: "last\nsubject",
  firstSubsequent: "first\nafter",
  further: "further",
  last: "last",
};

/** What a trace came to: the total effect, a table of average indirect effects for each kind, and the layers to edit. */
export function describeTrace(summary: TraceSummary): string {
  const { average, skipped, window, noise, samples, model } = summary;
  const { facts, high, low, totalEffect } = average;
  const parts = [
    `${facts} facts that ${model.name} knows (${skipped.unknown} others it does not know, ${skipped.unusable} could not be used)`,
    `the answer's probability: ${percent(high.mean)} clean, ${percent(low.mean)} with noise of ${noise.toFixed(4)} on the subject ` +
      `(${samples} copies); total effect ${withBand(totalEffect.mean, totalEffect.band)}`,
  ];
  for (const [kind, roles] of Object.entries(average.kinds) as [TraceKind, Partial<Record<TokenRole, RoleEffects>>][]) {
    const windows = kind === "state" ? "" : `, restored in windows of ${window} layers`;
    parts.push(`Average indirect effect of ${kindNames[kind]}${windows}, in points:\n${effects(roles)}`);
  }
  parts.push(describeSuggestion(summary));
  return parts.join("\n\n");
}

function effects(roles: Partial<Record<TokenRole, RoleEffects>>): string {
  const present = tokenRoles.filter((role) => roles[role] !== undefined);
  const layers = roles[present[0]!]!.mean.length;
  const rows = Array.from({ length: layers }, (_, layer) => [
    String(layer),
    ...present.map((role) => withBand(roles[role]!.mean[layer]!, roles[role]!.band?.[layer] ?? null)),
  ]);
  const counts = ["tokens", ...present.map((role) => String(roles[role]!.count))];
  return table(
    [
      { heading: "layer", align: "right" },
      ...present.map((role) => ({ heading: roleNames[role], align: "right" as const })),
    ],
    [...rows, counts],
  );
}

function describeSuggestion({ suggestion, average }: TraceSummary): string {
  if (suggestion === null) {
    return average.kinds.mlp === undefined
      ? "No layers are suggested: MLP outputs were not traced."
      : "No layers are suggested: zero is within the 95 % band of the largest effect of MLPs at the subject's last token. Trace more facts.";
  }
  const { layers, peak, effects } = suggestion;
  const span = layers.length === 1 ? `${layers[0]}` : `${layers[0]}-${layers.at(-1)}`;
  return (
    `Layers to edit: --layers ${span}\n` +
    `At the subject's last token (${effects.count} of them) the MLPs around layer ${peak.layer} bring back most, ` +
    `${withBand(peak.mean, peak.band)} points; the span around it keeps half of that or more.`
  );
}

function percent(probability: number): string {
  return `${(100 * probability).toFixed(1)} %`;
}

/** In points of probability. */
function withBand(mean: number, band: number | null): string {
  return `${points(mean)}${band === null ? "" : ` ± ${points(band)}`}`;
}

function points(effect: number): string {
  const text = (100 * effect).toFixed(1);
  return text === "-0.0" ? "0.0" : text;
}
