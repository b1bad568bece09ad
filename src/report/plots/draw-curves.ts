import * as Plot from "@observablehq/plot";
import { figure as inDigits } from "../table.js";
import type { Curve, CurveFigure, Panel, Point } from "./figure.js";
import { type Drawing, headingText, inPixels, plotted, SMALLEST, shortened, widened } from "./plotted.js";
import { curveStyle } from "./styles.js";

const PANEL = { width: 440, height: 264, marginTop: 30 };
const SINGLE = { width: 700, height: 320, marginTop: 12 };
const MARGIN = { left: 76, right: 16, bottom: 50 };
const LEGEND_ROW = 22;
/** Pixels of a line in the legend, with the room beside it and behind its label. */
const LEGEND_LINE = 70;
/** Characters of a label in the legend; the table beside the plot has all. */
const LONGEST_LABEL = 52;
/** Markers on a curve. */
const MOST_MARKERS = 12;

/** A legend, and below it the panels in two columns, or one alone. */
export function drawCurves(figure: CurveFigure): Drawing {
  const columns = figure.panels.length === 1 ? 1 : 2;
  const size = columns === 1 ? SINGLE : PANEL;
  const width = columns * size.width;
  const legend = drawLegend(figure, width);
  const panels = figure.panels.map((panel, index) => {
    const [x, y] = [(index % columns) * size.width, legend.height + Math.floor(index / columns) * size.height];
    const heading = columns === 1 ? "" : headingText(panel.heading ?? panel.name, MARGIN.left);
    return `<g transform="translate(${x},${y})">${heading}${drawPanel(figure, panel, size)}</g>`;
  });
  const height = legend.height + Math.ceil(figure.panels.length / columns) * size.height;
  return { width, height, svg: legend.svg + panels.join("") };
}

function drawPanel(figure: CurveFigure, { curves }: Panel, size: typeof PANEL): string {
  const { x, y, reach, mayBeLogarithmic, span, errors } = figure;
  const values = curves.flatMap(({ points }) => points.map((point) => point.y));
  const isLogarithmic = mayBeLogarithmic === true && spansMagnitudes(values);
  const areBands = errors === "95 % band";
  const edges = areBands
    ? curves.flatMap(({ points }) => points.flatMap((point) => [lowerEnd(point), upperEnd(point)]))
    : [];
  const bounds = isLogarithmic ? values : [...values, ...edges, ...(reach ?? [])];
  const domain = widened([Math.min(...bounds), Math.max(...bounds)]);
  return plotted({
    ...size,
    marginLeft: MARGIN.left,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    x: {
      label: x,
      labelAnchor: "center",
      labelArrow: "none",
      labelOffset: 36,
      ticks: wholeTicks(curves),
      tickFormat: inDigits,
      line: true,
    },
    y: {
      label: isLogarithmic ? `${y}, logarithmic` : y,
      labelAnchor: "center",
      labelArrow: "none",
      tickFormat: inDigits,
      domain,
      ...(isLogarithmic ? { type: "log", ticks: logarithmicTicks(domain) } : { ticks: 5, nice: true }),
      grid: true,
    },
    marks: [
      ...(span === undefined ? [] : [spanMark({ x1: span.from - 0.5, x2: span.to + 0.5 })]),
      ...(areBands ? curves.map(bandMark) : []),
      ...curves.flatMap((curve) => curveMarks(curve, !areBands)),
    ],
  });
}

/** A reference is a line; a curve has bars for its errors, unless a band shows them, a line and markers. */
function curveMarks({ points, style, isReference }: Curve, hasBars = true): Plot.Markish[] {
  const { colour, dash, marker } = curveStyle(style);
  const places = { x: "x", y: "y" } as const;
  if (isReference) return [Plot.line(points, { ...places, stroke: colour, strokeWidth: 1, strokeOpacity: 0.8 })];
  const every = Math.ceil(points.length / MOST_MARKERS);
  const marked = points.filter((_, index) => index % every === 0 || index === points.length - 1);
  const bars = marked.filter(({ error }) => hasBars && error !== undefined && error > 0);
  return [
    Plot.ruleX(bars, { x: "x", y1: lowerEnd, y2: upperEnd, stroke: colour, strokeOpacity: 0.6 }),
    Plot.line(points, { ...places, stroke: colour, strokeWidth: 1.8, strokeDasharray: dash }),
    Plot.dot(marked, { ...places, stroke: colour, fill: "var(--paper)", symbol: marker, r: 3.5, strokeWidth: 1.6 }),
  ];
}

function bandMark({ points, style }: Curve): Plot.Markish {
  return Plot.areaY(points, { x: "x", y1: lowerEnd, y2: upperEnd, fill: curveStyle(style).colour, fillOpacity: 0.18 });
}

function spanMark(place: { x1: number; x2: number; y1?: number; y2?: number }): Plot.Markish {
  return Plot.rect([place], { ...place, fill: "currentColor", fillOpacity: 0.1 });
}

function lowerEnd({ y, error = 0 }: Point): number {
  return y - error;
}

function upperEnd({ y, error = 0 }: Point): number {
  return y + error;
}

/** A row for each style, in as many columns as the labels leave room for. */
function drawLegend({ panels, references, span }: CurveFigure, width: number): { svg: string; height: number } {
  const curves = panels.flatMap((panel) => panel.curves).filter(({ isReference }) => !isReference);
  const entries = [...new Map(curves.map((curve) => [curve.style, curve])).values()].sort((a, b) => a.style - b.style);
  const shown: LegendEntry[] = entries.map((curve) => ({ label: curve.label, curve }));
  if (references !== undefined) shown.push({ label: references });
  if (span !== undefined) shown.push({ label: span.label, isSpan: true });
  const column = Math.max(...shown.map(({ label }) => LEGEND_LINE + widthOf(shortened(label, LONGEST_LABEL))));
  const columns = Math.max(1, Math.min(Math.floor((width - MARGIN.left) / column), Math.ceil(shown.length / 3)));
  const rows = Math.ceil(shown.length / columns);
  const height = rows * LEGEND_ROW + 8;
  const marks = shown.flatMap((entry, index) => {
    const x = MARGIN.left + Math.floor(index / rows) * Math.floor((width - MARGIN.left) / columns);
    return legendMarks(entry, x, (index % rows) * LEGEND_ROW + LEGEND_ROW / 2);
  });
  return { svg: plotted({ width, height, margin: 0, x: inPixels, y: inPixels, marks }), height };
}

/** Of a curve, of all lines to compare with, or of the stretch that stands out. */
interface LegendEntry {
  label: string;
  curve?: Curve;
  isSpan?: boolean;
}

function legendMarks({ label, curve, isSpan }: LegendEntry, x: number, y: number): Plot.Markish[] {
  const text = Plot.text([shortened(label, LONGEST_LABEL)], {
    ...{ x: () => x + 46, y: () => y, text: (label: string) => label, textAnchor: "start" as const },
  });
  if (isSpan) return [spanMark({ x1: x, x2: x + 36, y1: y - 7, y2: y + 7 }), text];
  const line = [0, 18, 36].map((step) => ({ x: x + step, y }));
  if (curve === undefined) return [Plot.line(line, { x: "x", y: "y", stroke: "currentColor", strokeWidth: 1 }), text];
  const [, stroke] = curveMarks({ ...curve, points: line });
  const [, , marker] = curveMarks({ ...curve, points: line.slice(1, 2) });
  return [stroke, marker, text];
}

/** Of a label in pixels, about: there is no browser to ask. Characters of Asia's scripts are as wide as high. */
function widthOf(label: string): number {
  return [...label].reduce((width, character) => width + (character >= "\u2e80" ? 13 : 7.5), 0);
}

/** Layers and numbers of facts are whole. */
function wholeTicks(curves: readonly Curve[]): number {
  const places = curves.flatMap(({ points }) => points.map((point) => point.x));
  return Math.max(1, Math.min(5, Math.max(...places) - Math.min(...places)));
}

/** Over all positive values, a factor of more than fifty. */
function spansMagnitudes(values: readonly number[]): boolean {
  const least = Math.min(...values);
  return values.length > 0 && least >= SMALLEST && Math.max(...values) / least > 50;
}

/** 1, 2 and 5 of each power of ten, or its 1 alone where those would be many. */
function logarithmicTicks([least, most]: readonly [number, number]): number[] {
  const powers = Array.from({ length: 1 + Math.ceil(Math.log10(most)) - Math.floor(Math.log10(least)) }, (_, index) => {
    return 10 ** (Math.floor(Math.log10(least)) + index);
  });
  const within = (tick: number) => tick >= least && tick <= most;
  const fine = powers.flatMap((power) => [power, 2 * power, 5 * power]).filter(within);
  if (fine.length <= 7) return fine;
  const coarse = powers.filter(within);
  return coarse.filter((_, index) => index % Math.ceil(coarse.length / 7) === 0);
}
