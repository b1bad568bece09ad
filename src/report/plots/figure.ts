import type { Cell, ReportTable } from "../tables/table-file.js";

/** A plot, and all that is needed to draw it, put it into words and list its data. */
export interface Figure {
  /** Also the name of its file, without the ending: letters, digits, full stops and hyphens. */
  id: string;
  title: string;
  /** What is seen, for somebody who was not there. */
  explanation: string;
  x: string;
  y: string;
  /** What the panels are, where there are several: "layer". */
  panelsBy: string;
  panels: Panel[];
  /** What curves to compare with are, where there are any. */
  references?: string;
  /** Where the axis of y must reach; what is drawn may reach further. */
  reach?: readonly [number, number];
  /** Whether a logarithmic axis of y is allowed, where values are of different magnitude. */
  mayBeLogarithmic?: boolean;
}

/** One of several small plots that share an axis of x. */
export interface Panel {
  /** As `panelsBy` asks for it. */
  name: string;
  /** Above the panel, where the name alone would not do. */
  heading?: string;
  curves: Curve[];
}

export interface Curve {
  label: string;
  /** Which colour, dash and marker; the same for a run wherever it is drawn. */
  style: number;
  /** A line to compare with, such as a threshold: thin, without markers. */
  isReference?: boolean;
  points: Point[];
}

export interface Point {
  x: number;
  y: number;
  /** Standard error of y, where it is a mean. */
  error?: number;
}

/** Points of one curve that are drawn and listed: a plot is a few hundred pixels wide. */
export const MOST_POINTS = 200;

/** Of many points some, evenly spread, with the first and the last. */
export function thinned(points: readonly Point[]): Point[] {
  if (points.length <= MOST_POINTS) return [...points];
  const last = points.length - 1;
  return Array.from({ length: MOST_POINTS }, (_, i) => points[Math.round((i * last) / (MOST_POINTS - 1))]!);
}

/** All that is drawn, as a table: a row for each panel and x, a column for each curve. */
export function figureData({ title, x, panelsBy, panels }: Figure): ReportTable {
  const labels = [...new Set(panels.flatMap(({ curves }) => curves.map(({ label }) => label)))];
  const rows = panels.flatMap(({ name, curves }) => {
    const places = [...new Set(curves.flatMap(({ points }) => points.map((point) => point.x)))].sort((a, b) => a - b);
    const byLabel = new Map(
      curves.map(({ label, points }) => [label, new Map(points.map((point) => [point.x, point]))]),
    );
    return places.map((place): Cell[] => {
      const cells = labels.map((label) => cellOf(byLabel.get(label)?.get(place)));
      return panels.length === 1 ? [place, ...cells] : [name, place, ...cells];
    });
  });
  const headings = panels.length === 1 ? [x, ...labels] : [panelsBy, x, ...labels];
  return { title, columns: headings.map((heading) => ({ heading })), rows };
}

function cellOf(point: Point | undefined): Cell {
  if (point === undefined) return null;
  // As many as one would need to know are not in a point; a count of 0 alone would be shown as nothing measured.
  return point.error === undefined ? point.y : { mean: point.y, standardError: point.error, count: 1 };
}
