import { html, type Markup } from "../html.js";
import { alignmentsOf, type Cell, inWords, type ReportTable } from "../tables/table-file.js";

/** A table of the report. It scrolls by itself where it is wider than the page, also for who has no mouse. */
export function tableElement(table: ReportTable): Markup {
  const alignments = alignmentsOf(table);
  const groups = groupsOf(table);
  const groupRow =
    groups.length === 0
      ? null
      : html`<tr>${groups.map(({ group, span }) =>
          group === undefined
            ? html`<td colspan="${span}"></td>`
            : html`<th scope="colgroup" colspan="${span}"><bdi>${group}</bdi></th>`,
        )}</tr>`;
  const heads = table.columns.map(
    ({ heading }, index) => html`<th scope="col" class="${alignments[index]!}"><bdi>${heading}</bdi></th>`,
  );
  const rows = table.rows.map(
    (row) =>
      html`<tr>${row.map((cell, index) => html`<td class="${alignments[index]!}">${cellElement(cell)}</td>`)}</tr>\n`,
  );
  return html`<div class="wide" role="region" aria-label="${table.title}" tabindex="0"><table>
<caption><bdi>${table.title}</bdi></caption>
<thead>${groupRow}<tr>${heads}</tr></thead>
<tbody>${rows}</tbody>
</table></div>`;
}

/** A figure is shown with a few digits; all of them are in the page too. */
function cellElement(cell: Cell): Markup {
  if (cell === null) return html`${inWords(cell)}`;
  if (typeof cell === "string") return html`<bdi>${cell}</bdi>`;
  return html`<data value="${typeof cell === "number" ? cell : cell.mean}">${inWords(cell)}</data>`;
}

/** Headings above several columns, and how many each is above; none where no column has one. */
function groupsOf({ columns }: ReportTable): { group: string | undefined; span: number }[] {
  if (columns.every(({ group }) => group === undefined)) return [];
  const groups: { group: string | undefined; span: number }[] = [];
  for (const { group } of columns) {
    const last = groups.at(-1);
    if (last !== undefined && last.group === group) last.span += 1;
    else groups.push({ group, span: 1 });
  }
  return groups;
}
