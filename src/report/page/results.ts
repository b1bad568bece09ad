import type { CaseStudy, RunFiles } from "../../run/index.js";
import { foreign, html, type Markup } from "../html.js";
import { MOST_POINTS } from "../plots/figure.js";
import type { Place } from "../plots/places.js";
import { caseStudyTables } from "../tables/case-study.js";
import { paperTables } from "../tables/paper-tables.js";
import { figureElement } from "./figure.js";
import type { PageMaterial } from "./material.js";
import type { Section } from "./section.js";
import { tableElement } from "./table.js";

const meanings: [term: string, meaning: string][] = [
  ["efficacy (Eff)", "edited prompts after which the model finds the new fact more probable than the old one"],
  ["generalization (Gen)", "the same for paraphrases of those prompts, which were not edited"],
  ["specificity (Spe)", "prompts about other subjects after which the true fact is still the more probable one"],
  ["fluency (Flu)", "entropy of generated text, in 1/100 bit: low when the model repeats itself"],
  ["consistency (Consis)", "how like generated text is to what people wrote about the new fact"],
  ["±", "the standard error of a mean over facts: a difference within two of them may be chance"],
  [
    "α",
    "how many times the preservation loss of the first batch LyapLock allows: its threshold. A larger one writes more and keeps less",
  ],
  [
    "preservation loss",
    "mean squared change of an edited layer's output to ordinary text, per token of it: what editing costs the rest of the model",
  ],
  ["queue, weight", "how hard LyapLock is pulling the loss back under its threshold"],
];

/** What the numbers mean. */
export function meaningSection(): Section {
  return {
    ...{ id: "meaning", heading: "What the numbers mean" },
    body: html`<dl>${meanings.map(([term, meaning]) => html`<dt>${term}</dt><dd>${meaning}</dd>\n`)}</dl>`,
  };
}

/** The paper's tables. */
export function tablesSection(runs: readonly RunFiles[]): Section | null {
  const tables = paperTables(runs);
  if (tables.length === 0) return null;
  return { id: "tables", heading: "Tables", body: html`${tables.map(tableElement)}` };
}

/** The figures of runs on one model and data set. */
export function plotsSection({ model, dataset, figures }: Place, index: number): Section | null {
  if (figures.length === 0) return null;
  return {
    id: `plots-${index + 1}`,
    heading: `Plots: ${model}, ${dataset}`,
    body: html`<p>A run has the same colour, dash and marker in all of them. Of a curve with more than ${MOST_POINTS} points, so many are drawn and
listed, evenly spread; batches.jsonl and evaluations.jsonl of the run have all.</p>
${figures.map(figureElement)}`,
  };
}

/** Texts that the runs have kept. */
export function textsSection(studies: readonly CaseStudy[]): Section | null {
  const tables = caseStudyTables(studies);
  if (tables.length === 0) return null;
  return {
    ...{ id: "texts", heading: "What the models say" },
    body: html`<p>What the unedited model and each edited one say after the prompt of some edited facts, spread evenly over the run.</p>
${tables.map(tableElement)}`,
  };
}

/** Who wrote what is shown. */
export function introduction(material: PageMaterial): Markup {
  const { runs, traces = [] } = material;
  const models = [...runs.map(({ record }) => record.model.name), ...traces.map(({ summary }) => summary.model.name)];
  const datasets = runs.map(({ record }) => record.dataset.name);
  const list = (names: string[]) =>
    [...new Set(names)].map((name, index) => html`${index === 0 ? "" : ", "}${foreign(name)}`);
  const about = [
    models.length === 0 ? null : html` Model: ${list(models)}.`,
    datasets.length === 0 ? null : html` Facts: ${list(datasets)}.`,
  ];
  const counts = countsInWords(material);
  return html`<p>${counts.charAt(0).toUpperCase() + counts.slice(1)} of <strong>lyaplock</strong>, which edits the knowledge of a language model: thousands of facts, one batch after the
other, while what the model already knew is to stay within a bound.${about} Everything here was read from the
directories that are named; nothing was measured for this page.</p>`;
}

/** "2 runs and a trace" */
export function countsInWords({ runs, traces = [] }: PageMaterial): string {
  const inWords = (count: number, name: string) => (count === 1 ? `a ${name}` : `${count} ${name}s`);
  const ofRuns = inWords(runs.length, "run");
  if (traces.length === 0) return ofRuns;
  const ofTraces = inWords(traces.length, "trace");
  return runs.length === 0 ? ofTraces : `${ofRuns} and ${ofTraces}`;
}
