import { basename } from "node:path";
import type { TraceFiles } from "../../run/index.js";
import { foreign, html, type Markup } from "../html.js";
import type { TracePlots } from "../plots/places.js";
import { describeSuggestion, outcomeTable } from "../tables/trace-tables.js";
import { figureElement } from "./figure.js";
import type { Section } from "./section.js";
import { tableElement } from "./table.js";

/** What causal traces came to. */
export function tracesSection(traces: readonly TraceFiles[]): Section | null {
  if (traces.length === 0) return null;
  return {
    ...{ id: "causal-traces", heading: "Causal traces" },
    body: html`<p>A causal trace asks where in a model facts are: of those that it knows, noise on the subject takes the answer away, and what
brings it back, when it is restored to what the model computed without noise, carried it. ± is a 95 % band.</p>
${tableElement(outcomeTable(traces))}
${traces.map(traceDetails)}`,
  };
}

function traceDetails({ name, directory, summary }: TraceFiles): Markup {
  const { model, known } = summary;
  const entries: [string, Markup][] = [
    [
      "layers",
      html`${describeSuggestion(summary)
        .split("\n")
        .map((line) => html`${line}<br>`)}`,
    ],
    ["model", html`${foreign(model.name)}, <code>${model.hash}</code>`],
    ["facts", html`${foreign(basename(known.file))}, <code>${known.hash}</code>`],
    ["directory", foreign(directory)],
  ];
  return html`<h3><bdi>${name}</bdi></h3>
<dl>${entries.map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>\n`)}</dl>`;
}

/** The figures of a trace. */
export function tracePlotsSection({ name, figures }: TracePlots, index: number): Section | null {
  if (figures.length === 0) return null;
  return {
    id: `trace-plots-${index + 1}`,
    heading: `Plots of the trace: ${name}`,
    body: html`<p>The plots of single facts are of a few, evenly spread over the trace; trace.jsonl has all.</p>
${figures.map(figureElement)}`,
  };
}
