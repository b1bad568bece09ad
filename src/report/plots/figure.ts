import { evenlySpread } from "../../base/evenly-spread.js";
import type { Cell, ReportTable } from "../tables/table-file.js";

/** A plot, and all that is needed to draw it, put it into words and list its data. */
export type Figure = CurveFigure | HeatMapFigure;

interface FigureTexts {
  /** Also the name of its file, without the ending: letters, digits, full stops and hyphens. */
  id: string;
  title: string;
  /** What is seen, for somebody who was not there. */
  explanation: string;
  x: string;
  y: string;
  /** What the panels are, where there are several: "layer". */
  panelsBy: string;
}

export interface CurveFigure extends FigureTexts {
  panels: Panel[];
  /** What curves to compare with are, where there are any. */
  references?: string;
  /** A stretch of x that stands out, both ends included, and what it is. */
  span?: { from: number; to: number; label: string };
  /** What errors of points are; drawn as bars, or the 95 % ones as a band around the curve. Default "standard error". */
  errors?: "standard error" | "95 % band";
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

/** Coloured cells: what is on the axis of x to the right, a row for each of what is on the other. */
export interface HeatMapFigure extends FigureTexts {
  /** What the colours are, and in what. */
  measure: string;
  /** What errors of points are; they are listed, not drawn. */
  errors?: "95 % band";
  panels: HeatMapPanel[];
}

export interface HeatMapPanel {
  /** As `panelsBy` asks for it. */
  name: string;
  heading: string;
  /** Where the scale of colours must reach. Each panel has a scale of its own. */
  reach: readonly [number, number];
  rows: Row[];
}

/** Labels of rows are different within a figure, but for those of the same row in several panels. */
export interface Row {
  label: string;
  points: Point[];
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
  /** How far it may be off to either side, where it is a mean: as the figure's `errors` say. */
  error?: number;
}

/** As many at most: a plot is a few hundred pixels wide. */
export const MOST_POINTS = 200;

/** Of the points of a curve those that are drawn and listed. */
export function thinned(points: readonly Point[]): Point[] {
  return evenlySpread(points, MOST_POINTS);
}

export function isHeatMap(figure: Figure): figure is HeatMapFigure {
  return "measure" in figure;
}

/** All that is drawn, as a table: a row for each panel and x, a column for each curve, or row of a heat map. */
export function figureData(figure: Figure): ReportTable {
  const { title, x, panelsBy, errors = "standard error" } = figure;
  const panels = isHeatMap(figure)
    ? figure.panels.map(({ name, rows }) => ({ name, series: rows }))
    : figure.panels.map(({ name, curves }) => ({ name, series: curves }));
  const labels = [...new Set(panels.flatMap(({ series }) => series.map(({ label }) => label)))];
  const rows = panels.flatMap(({ name, series }) => {
    const places = [...new Set(series.flatMap(({ points }) => points.map((point) => point.x)))].sort((a, b) => a - b);
    const byLabel = new Map(
      series.map(({ label, points }) => [label, new Map(points.map((point) => [point.x, point]))]),
    );
    return places.map((place): Cell[] => {
      const cells = labels.map((label) => cellOf(byLabel.get(label)?.get(place), errors));
      return panels.length === 1 ? [place, ...cells] : [name, place, ...cells];
    });
  });
  const headings = panels.length === 1 ? [x, ...labels] : [panelsBy, x, ...labels];
  return { title, columns: headings.map((heading) => ({ heading })), rows };
}

function cellOf(point: Point | undefined, errors: NonNullable<Figure["errors"]>): Cell {
  if (point === undefined) return null;
  const { y, error } = point;
  if (error === undefined) return y;
  // As many as one would need to know are not in a point; a count of 0 alone would be shown as nothing measured.
  return errors === "95 % band" ? { mean: y, band: error } : { mean: y, standardError: error, count: 1 };
}
