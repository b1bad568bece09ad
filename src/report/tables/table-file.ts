import type { Statistic } from "../../evaluate/index.js";
import type { AverageEffect } from "../../trace/index.js";
import { type Alignment, type Column, figure, table, tenths } from "../table.js";

/** What can stand in a cell; null where nothing was measured. */
export type Cell = string | number | Mean | null;

/** A mean, with its standard error or its 95 % band. */
type Mean = Statistic | AverageEffect;

export interface ReportColumn {
  /** Of several columns side by side, such as a data set. */
  group?: string;
  heading: string;
  /** Figures are to the right, texts to the left, unless this says otherwise. */
  align?: Alignment;
}

/** A table with its values as they are; the formats below write them. */
export interface ReportTable {
  title: string;
  columns: readonly ReportColumn[];
  rows: readonly (readonly Cell[])[];
}

export const reportFormats = ["text", "markdown", "csv"] as const;
export type ReportFormat = (typeof reportFormats)[number];

export function formatTables(tables: readonly ReportTable[], format: ReportFormat): string {
  const write = { text: asText, markdown: asMarkdown, csv: asCsv }[format];
  return tables.map(write).join("\n\n");
}

function asText({ title, columns, rows }: ReportTable): string {
  const alignments = alignmentsOf({ columns, rows });
  const headings = columns.map(({ group, heading }, index) => {
    const shown = group === undefined || columns[index - 1]?.group === group ? "" : group;
    return columns.some((column) => column.group !== undefined) ? `${shown}\n${heading}` : heading;
  });
  const aligned = headings.map((heading, index): Column => ({ heading, align: alignments[index]! }));
  return `${title}\n\n${table(
    aligned,
    rows.map((row) => row.map(inWords)),
  )}`;
}

function asMarkdown({ title, columns, rows }: ReportTable): string {
  const headings = columns.map(({ group, heading }) => (group === undefined ? heading : `${group}: ${heading}`));
  const rules = alignmentsOf({ columns, rows }).map((align) => (align === "right" ? "---:" : "---"));
  const lines = [headings, rules, ...rows.map((row) => row.map(inWords))];
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [`**${title}**`, "", ...lines.map(line)].join("\n");
}

/** A mean takes two columns, the second for its standard error or band; the title is a line of its own before the headings. */
function asCsv({ title, columns, rows }: ReportTable): string {
  const errors = columns
    .map((_, index) => rows.map((row) => row[index]!).find(isMean))
    .map((mean) => mean && errorOf(mean));
  const headings = columns.flatMap(({ group, heading }, index) => {
    const name = group === undefined ? heading : `${group} ${heading}`;
    return errors[index] === undefined ? [name] : [name, `${name} ${errors[index].name}`];
  });
  const values = (cell: Cell, index: number): (string | number | null)[] => {
    if (isMean(cell)) return isMeasured(cell) ? [cell.mean, errorOf(cell).value] : [null, null];
    return errors[index] === undefined ? [cell] : [cell, null];
  };
  return csvLines([[title], headings, ...rows.map((row) => row.flatMap(values))]);
}

/** Lines of a CSV file (RFC 4180, with plain line feeds), without the last line's end. */
export function csvLines(rows: readonly (readonly (string | number | null)[])[]): string {
  const field = (value: string | number | null) => {
    const text = value === null ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(field).join(",")).join("\n");
}

/** As a reader is shown it. */
export function inWords(cell: Cell): string {
  if (cell === null) return "–";
  if (typeof cell === "string") return cell;
  if (typeof cell === "number") return figure(cell);
  if (!isMeasured(cell)) return "–";
  const { value } = errorOf(cell);
  return value === null ? tenths(cell.mean) : `${tenths(cell.mean)} ± ${tenths(value)}`;
}

/** The side that the cells of each column keep to. */
export function alignmentsOf({ columns, rows }: Omit<ReportTable, "title">): Alignment[] {
  const usual = (index: number) => (rows.some((row) => typeof row[index] === "string") ? "left" : "right");
  return columns.map(({ align }, index) => align ?? usual(index));
}

function isMean(cell: Cell): cell is Mean {
  return typeof cell === "object" && cell !== null;
}

function isMeasured(mean: Mean): boolean {
  return !("count" in mean) || mean.count > 0;
}

function errorOf(mean: Mean): { name: string; value: number | null } {
  if ("band" in mean) return { name: "95 % band", value: mean.band };
  return { name: "standard error", value: mean.standardError };
}
