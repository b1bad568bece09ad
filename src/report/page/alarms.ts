import { alarmInWords, type RunFiles } from "../../run/index.js";
import { foreign, html, type Markup } from "../html.js";
import { byMethod, labelAmong } from "../tables/labels.js";

/** Of one run; batches.jsonl has all. */
const MOST_ALARMS = 10;

/**
 * What has gone wrong with the runs. It is there, and empty, where nothing has: whoever cannot see the page is told what comes into
 * a region that was there before.
 */
export function alarmsRegion(runs: readonly RunFiles[]): Markup {
  const label = labelAmong(runs);
  const parts = [...runs].sort(byMethod).flatMap((run) => {
    const raised = run.batches.flatMap((batch) => (batch.alarms ?? []).map((alarm) => ({ ...batch, alarm })));
    if (raised.length === 0) return [];
    const last = raised.slice(-MOST_ALARMS);
    const items = last.map(
      ({ batch, edits, alarm }) => html`<li>After batch ${batch} (${edits} edits) ${alarmInWords(alarm)}.</li>\n`,
    );
    const earlier = raised.length === last.length ? null : html` (the last ${last.length} of ${raised.length})`;
    return [html`<p><strong>Alarms</strong> of ${foreign(label(run))}${earlier}:</p>\n<ul>${items}</ul>\n`];
  });
  return html`<div id="alarms" role="alert">${parts}</div>`;
}
