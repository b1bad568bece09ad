import { inShell } from "../../base/shell.js";
import { methodInWords, type RunFiles, requestOptions } from "../../run/index.js";
import { foreign, html, type Markup } from "../html.js";
import { byMethod, labelAmong, methodLabel } from "../tables/labels.js";
import type { ReportTable } from "../tables/table-file.js";
import type { Section } from "./section.js";
import { tableElement } from "./table.js";

/** What was run, in a line each. */
export function overviewSection(runs: readonly RunFiles[]): Section {
  const rows = [...runs].sort(byMethod).map((run) => {
    const { record, summary } = run;
    return [
      ...[run.name, methodInWords(record.method), record.model.name, record.dataset.name],
      ...[editedOf(run), record.dataset.facts, record.asked.batch, record.hyperparameters.layers.join(", ")],
      summary === null ? "under way, or interrupted" : "finished",
    ];
  });
  const headings = ["run", "method", "model", "data set", "facts edited", "of", "a batch", "layers", "state"];
  const table: ReportTable = { title: "Runs of this page", columns: headings.map((heading) => ({ heading })), rows };
  return {
    ...{ id: "what-was-run", heading: "What was run" },
    body: html`<p>A run takes facts of a data set and edits them into a language model, a batch at a time, each batch on the model that the last one
left. What the model says is measured afterwards, and often before and in between.</p>
${tableElement(table)}
${runs.length === 0 ? null : inShort(runs)}`,
  };
}

function inShort(runs: readonly RunFiles[]): Markup {
  const label = labelAmong(runs);
  const places = new Set(runs.map(({ record }) => `${record.model.name}\n${record.dataset.name}`));
  const items = [...runs].sort(byMethod).map((run) => {
    const where = places.size === 1 ? "" : ` on ${run.record.model.name}, ${run.record.dataset.name}`;
    return html`<li><strong>${foreign(label(run) + where)}</strong>: ${sentence(run)}</li>\n`;
  });
  return html`<h3>In short</h3>
<ul>${items}</ul>`;
}

/** How a run ended, or stands. */
function sentence(run: RunFiles): string {
  const { summary, batches } = run;
  if (batches.length === 0) return "no batch is finished yet.";
  const edited = `after ${editedOf(run)} edits`;
  const losses = preservationInWords(run);
  if (summary === null) return `${edited} it is not finished. ${losses}`;
  const { efficacy, specificity } = summary.after;
  const first =
    summary.byBatch.length > 1 ? ` (of those of the first batch, ${percent(summary.byBatch[0]!.efficacy.mean)})` : "";
  const specific =
    specificity === undefined || specificity.count === 0
      ? ""
      : `, and ${percent(specificity.mean)} of prompts about other subjects keep theirs`;
  return `${edited} the new fact is the more probable one for ${percent(efficacy.mean)} of the edited prompts${first}${specific}. ${losses}`;
}

function preservationInWords({ summary, batches }: RunFiles): string {
  const layers = summary?.layers ?? batches.at(-1)?.layers ?? [];
  const shares = layers.map(({ preservationLoss, threshold }) =>
    threshold === null ? null : preservationLoss / threshold,
  );
  if (shares.some((share) => share === null)) {
    const growth = layers.map(
      ({ preservationLoss, baseLoss }) => `${Number((preservationLoss / baseLoss).toPrecision(2))}`,
    );
    return `Nothing bounds its preservation loss, which is at ${growth.join(", ")} times that of the first batch, layer by layer.`;
  }
  return `The preservation loss of its layers is at ${shares.map((share) => `${(100 * share!).toFixed(0)} %`).join(", ")} of their thresholds.`;
}

function percent(value: number): string {
  return `${value.toFixed(1)} %`;
}

function editedOf({ batches }: RunFiles): number {
  return batches.at(-1)?.edits ?? 0;
}

function machineOf({ record: { environment } }: RunFiles): string {
  return environment.backend ?? "unknown";
}

/** Each run with all that it takes to do it again. */
export function runDetailsSection(runs: readonly RunFiles[]): Section {
  return {
    ...{ id: "run-details", heading: "How to run it again" },
    body: html`<p>The command of each run, what it was given, and where. A run of <code>--config</code> has its options in that file; the command shown asks for the
same, but for how the texts of a case study are chosen and drawn, which only such a file can say. Hashes are of contents: with the same ones, the same machine and library compute the same bits.</p>
${runs.map(runDetails)}`,
  };
}

function runDetails(run: RunFiles): Markup {
  const { record, name } = run;
  const { asked, environment, skipped = [] } = record;
  const command = ["lyaplock", "run", ...requestOptions(asked), "--out", name].map(inShell).join(" ");
  const entries: [string, string | Markup][] = [
    ["method", `${methodLabel(run)}: ${methodInWords(record.method)}`],
    ["model", html`${foreign(record.model.name)}, <code>${record.model.hash}</code>`],
    [
      "data set",
      html`${foreign(record.dataset.name)}, ${record.dataset.facts} facts to edit, <code>${record.dataset.hash}</code>`,
    ],
    ["second moments", html`<code>${record.secondMoments}</code>`],
    ["machine", `${machineOf(run)}; lyaplock ${environment.lyaplock}, Node ${environment.node}`],
    ["directory", html`${foreign(run.directory)}`],
  ];
  return html`<h3><bdi>${name}</bdi></h3>
<pre tabindex="0" aria-label="command of the run"><code>${command}</code></pre>
<dl>${entries.map(([term, value]) => html`<dt>${term}</dt><dd>${typeof value === "string" ? foreign(value) : value}</dd>\n`)}</dl>
<details><summary>All options and hyperparameters</summary>
<pre tabindex="0" aria-label="options and hyperparameters"><code>${JSON.stringify({ asked, hyperparameters: record.hyperparameters, contextTemplates: record.contextTemplates }, null, 2)}</code></pre></details>
${skipped.length === 0 ? null : skippedFacts(skipped)}`;
}

/** Facts left out that are listed; run.json has all. */
const MOST_SKIPPED = 100;

function skippedFacts(skipped: RunFiles["record"]["skipped"]): Markup {
  const rows = skipped
    .slice(0, MOST_SKIPPED)
    .map(({ caseId, subject, prompt, problems }) => [
      caseId,
      subject ?? null,
      prompt ?? null,
      problems.map(({ message }) => message).join("; "),
    ]);
  const title =
    skipped.length > MOST_SKIPPED
      ? `The first ${MOST_SKIPPED} of ${skipped.length} facts left out`
      : "Facts left out, and why";
  const columns = ["case", "subject", "prompt", "problem"].map((heading) => ({ heading }));
  return html`<details><summary>${skipped.length} facts were left out</summary>${tableElement({ title, columns, rows })}</details>`;
}
