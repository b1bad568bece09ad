import type { TraceFiles, TraceSummary } from "../../run/index.js";
import {
  type AverageEffect,
  type RoleEffects,
  type TokenRole,
  type TraceKind,
  tokenRoles,
  traceKinds,
} from "../../trace/index.js";
import { type Cell, inWords, type ReportTable } from "./table-file.js";

/** What is restored, in words. */
export const kindTitles: Record<TraceKind, string> = {
  state: "hidden states",
  mlp: "MLP outputs",
  attention: "attention outputs",
};

const roleHeadings: Record<TokenRole, { group: string; heading: string }> = {
  firstSubject: { group: "subject", heading: "first" },
  middleSubject: { group: "subject", heading: "middle" },
  lastSubject: { group: "subject", heading: "last" },
  firstSubsequent: { group: "after it", heading: "first" },
  further: { group: "after it", heading: "further" },
  last: { group: "prompt", heading: "last" },
};

/** What traces came to: a table of them all, then one of effects for each trace and kind. */
export function traceTables(traces: readonly TraceFiles[]): ReportTable[] {
  if (traces.length === 0) return [];
  const effects = traces.flatMap(({ name, summary }) =>
    effectTables(summary).map(({ title, ...rest }) => ({ title: `${title}: ${name}`, ...rest })),
  );
  return [outcomeTable(traces), ...effects];
}

/** A column for each trace. */
export function outcomeTable(traces: readonly TraceFiles[]): ReportTable {
  const row = (measure: string, cellOf: (summary: TraceSummary) => Cell) => [
    measure,
    ...traces.map(({ summary }) => cellOf(summary)),
  ];
  return {
    title: "What the traces came to",
    columns: [{ heading: "measure" }, ...traces.map(({ name }) => ({ heading: name, align: "right" as const }))],
    rows: [
      row("model", ({ model }) => model.name),
      row("layers of the model", ({ layers }) => String(layers)),
      row("facts traced", ({ average }) => String(average.facts)),
      row("facts skipped: the model answers otherwise", ({ skipped }) => String(skipped.unknown)),
      row("facts skipped: cannot be used", ({ skipped }) => String(skipped.unusable)),
      row("probability of the answer, %", ({ average }) => inHundredths(average.high)),
      row("the same with noise on the subject, %", ({ average }) => inHundredths(average.low)),
      row("total effect: the difference, points", ({ average }) => inHundredths(average.totalEffect)),
      row("standard deviation of the noise", ({ noise }) => noise),
      row("noisy copies of each prompt", ({ samples }) => String(samples)),
      row("seed of the noise", ({ seed }) => String(seed)),
      row("layers restored together, of MLPs and attention", ({ window }) => String(window)),
      row("layers to edit, by the trace", ({ suggestion }) => suggestion && spanOf(suggestion.layers)),
      row("largest effect of MLPs at the subject's last token, points", ({ suggestion }) => {
        return suggestion && `${withBand(suggestion.peak)}, layer ${suggestion.peak.layer}`;
      }),
      row("seconds", ({ seconds }) => seconds),
    ],
  };
}

/** Average indirect effects by layer and token role, a table for each kind. */
export function effectTables({ average, window }: TraceSummary): ReportTable[] {
  return traceKinds.flatMap((kind) => {
    const roles = average.kinds[kind];
    if (roles === undefined) return [];
    const windows = kind === "state" ? "" : `, restored in windows of ${window} layers`;
    const title = `Average indirect effect of ${kindTitles[kind]}${windows}, in points`;
    return [{ title, ...effectsOf(roles) }];
  });
}

function effectsOf(roles: Partial<Record<TokenRole, RoleEffects>>): Omit<ReportTable, "title"> {
  const present = tokenRoles.flatMap((role) => (roles[role] === undefined ? [] : [{ role, ...roles[role] }]));
  const align = "right" as const;
  const rows = present[0]!.mean.map((_, layer): Cell[] => [
    String(layer),
    ...present.map(({ mean, band }) => inHundredths({ mean: mean[layer]!, band: band?.[layer] ?? null })),
  ]);
  return {
    columns: [{ heading: "layer", align }, ...present.map(({ role }) => ({ ...roleHeadings[role], align }))],
    rows: [...rows, ["tokens", ...present.map(({ count }) => String(count))]],
  };
}

/** What the trace says of the layers to edit, and why. */
export function describeSuggestion({ suggestion, average }: TraceSummary): string {
  if (suggestion === null) {
    return average.kinds.mlp === undefined
      ? "No layers are suggested: MLP outputs were not traced."
      : "No layers are suggested: zero is within the 95 % band of the largest effect of MLPs at the subject's last token. Trace more facts.";
  }
  const { layers, peak, effects } = suggestion;
  return (
    `Layers to edit: --layers ${spanOf(layers)}\n` +
    `At the subject's last token (${effects.count} of them) the MLPs around layer ${peak.layer} bring back most, ` +
    `${withBand(peak)} points; the span around it keeps half of that or more.`
  );
}

export function spanOf(layers: readonly number[]): string {
  return layers.length === 1 ? `${layers[0]}` : `${layers[0]}-${layers.at(-1)}`;
}

/** Probabilities in percent, or their differences in points. */
export function inHundredths({ mean, band }: AverageEffect): AverageEffect {
  return { mean: 100 * mean, band: band === null ? null : 100 * band };
}

/** In points of probability. */
export function withBand({ mean, band }: AverageEffect): string {
  return inWords(inHundredths({ mean, band }));
}
