import type { CaseStudy, RunFiles } from "../../run/index.js";
import { foreign, html, Markup } from "../html.js";
import { svgElement } from "../plots/draw.js";
import { type Figure, figureData, MOST_POINTS } from "../plots/figure.js";
import type { Place } from "../plots/places.js";
import { caseStudyTables } from "../tables/case-study.js";
import { paperTables } from "../tables/paper-tables.js";
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

function figureElement(figure: Figure): Markup {
  return html`<h3>${figure.title}</h3>
<figure id="${figure.id}"><div class="wide" role="region" aria-label="plot: ${figure.title}" tabindex="0">${new Markup(svgElement(figure))}</div>
<figcaption>${figure.explanation}</figcaption>
<details><summary>Data of this plot: ${figure.title}</summary>${tableElement(figureData(figure))}</details></figure>
`;
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

/** Who wrote what is shown, in the order of its parts. */
export function introduction(runs: readonly RunFiles[]): Markup {
  const models = [...new Set(runs.map(({ record }) => record.model.name))];
  const datasets = [...new Set(runs.map(({ record }) => record.dataset.name))];
  const list = (names: string[]) => names.map((name, index) => html`${index === 0 ? "" : ", "}${foreign(name)}`);
  return html`<p>${runs.length === 1 ? "A run" : `${runs.length} runs`} of <strong>lyaplock</strong>, which edits the knowledge of a language model: thousands of facts, one batch after the
other, while what the model already knew is to stay within a bound. ${runs.length === 0 ? null : html`Model: ${list(models)}. Facts: ${list(datasets)}. `}Everything here was read from the
directories of the runs; nothing was measured for this page.</p>`;
}
