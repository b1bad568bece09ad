import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { escaped } from "../html.js";
import { figure as inDigits } from "../table.js";
import type { Curve, Figure, Panel } from "./figure.js";
import { curveStyle, plotStyle } from "./styles.js";

const PANEL = { width: 440, height: 264, marginTop: 30 };
const SINGLE = { width: 700, height: 320, marginTop: 12 };
const MARGIN = { left: 76, right: 16, bottom: 50 };
const LEGEND_ROW = 22;
/** Characters of a label in the legend; the table beside the plot has all. */
const LONGEST_LABEL = 52;
/** Markers on a curve. */
const MOST_MARKERS = 12;
/** What is smaller is drawn as 0: near the least number a double holds there is no room for ticks. */
const SMALLEST = 1e-300;

/** An SVG file of its own, on light and dark ground. */
export function svgFile(figure: Figure): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${draw(figure, `<style>${plotStyle}</style>`)}\n`;
}

/** The same as an element of a page that has `plotStyle`. */
export function svgElement(figure: Figure): string {
  return draw(figure, "");
}

function draw(figure: Figure, style: string): string {
  const columns = figure.panels.length === 1 ? 1 : 2;
  const size = columns === 1 ? SINGLE : PANEL;
  const width = columns * size.width;
  const legend = drawLegend(figure, width);
  const panels = figure.panels.map((panel, index) => {
    const [x, y] = [(index % columns) * size.width, legend.height + Math.floor(index / columns) * size.height];
    const heading = `<text class="heading" x="${MARGIN.left}" y="16">${escaped(panel.heading ?? panel.name)}</text>`;
    return `<g transform="translate(${x},${y})">${columns === 1 ? "" : heading}${drawPanel(figure, panel, size)}</g>`;
  });
  const height = legend.height + Math.ceil(figure.panels.length / columns) * size.height;
  const names = `<title id="${figure.id}-title">${escaped(figure.title)}</title><desc id="${figure.id}-desc">${escaped(figure.explanation)}</desc>`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" aria-labelledby="${figure.id}-title" ` +
    `aria-describedby="${figure.id}-desc" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">` +
    `${names}${style}<rect class="paper" width="${width}" height="${height}"/>${legend.svg}${panels.join("")}</svg>`
  );
}

function drawPanel({ x, y, reach, mayBeLogarithmic }: Figure, { curves }: Panel, size: typeof PANEL): string {
  const values = curves.flatMap(({ points }) => points.map((point) => point.y));
  const isLogarithmic = mayBeLogarithmic === true && spansMagnitudes(values);
  const bounds = isLogarithmic ? values : [...values, ...(reach ?? [])];
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
      ticks: 5,
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
    marks: curves.flatMap(curveMarks),
  });
}

function curveMarks({ points, style, isReference }: Curve): Plot.Markish[] {
  const { colour, dash, marker } = curveStyle(style);
  const places = { x: "x", y: "y" } as const;
  if (isReference) return [Plot.line(points, { ...places, stroke: colour, strokeWidth: 1, strokeOpacity: 0.8 })];
  const every = Math.ceil(points.length / MOST_MARKERS);
  const marked = points.filter((_, index) => index % every === 0 || index === points.length - 1);
  const bars = marked.filter(({ error }) => error !== undefined && error > 0);
  const ends = {
    y1: ({ y, error = 0 }: Curve["points"][number]) => y - error,
    y2: ({ y, error = 0 }: Curve["points"][number]) => y + error,
  };
  return [
    Plot.ruleX(bars, { x: "x", ...ends, stroke: colour, strokeOpacity: 0.6 }),
    Plot.line(points, { ...places, stroke: colour, strokeWidth: 1.8, strokeDasharray: dash }),
    Plot.dot(marked, { ...places, stroke: colour, fill: "var(--paper)", symbol: marker, r: 3.5, strokeWidth: 1.6 }),
  ];
}

/** A row for each style, in two columns where there are many. */
function drawLegend({ panels, references }: Figure, width: number): { svg: string; height: number } {
  const curves = panels.flatMap((panel) => panel.curves).filter(({ isReference }) => !isReference);
  const entries = [...new Map(curves.map((curve) => [curve.style, curve])).values()].sort((a, b) => a.style - b.style);
  const shown = references === undefined ? entries : [...entries, undefined];
  const columns = shown.length > 3 && width >= 2 * PANEL.width ? 2 : 1;
  const rows = Math.ceil(shown.length / columns);
  const height = rows * LEGEND_ROW + 8;
  const marks = shown.flatMap((curve, index): Plot.Markish[] => {
    const x = MARGIN.left + Math.floor(index / rows) * PANEL.width;
    const y = (index % rows) * LEGEND_ROW + LEGEND_ROW / 2;
    const text = Plot.text([shortened(curve?.label ?? references!)], {
      ...{ x: () => x + 46, y: () => y, text: (label: string) => label, textAnchor: "start" as const },
    });
    const line = [0, 18, 36].map((step) => ({ x: x + step, y }));
    if (curve === undefined) return [Plot.line(line, { x: "x", y: "y", stroke: "currentColor", strokeWidth: 1 }), text];
    const [, stroke] = curveMarks({ ...curve, points: line });
    const [, , marker] = curveMarks({ ...curve, points: line.slice(1, 2) });
    return [stroke, marker, text];
  });
  const identity = { type: "identity", axis: null } as const;
  return { svg: plotted({ width, height, margin: 0, x: identity, y: identity, marks }), height };
}

/** Plot needs a document to make elements of; linkedom's is enough and starts no browser. */
const { document } = parseHTML("<html><body></body></html>");

function plotted(options: Plot.PlotOptions): string {
  const style = { fontSize: "12px", overflow: "visible", background: "none" };
  const svg = Plot.plot({ document: document as never, style, ...options });
  for (const sheet of svg.querySelectorAll("style")) sheet.remove(); // ours is written once
  for (const text of svg.querySelectorAll("text")) if (text.textContent === "") text.remove();
  for (const group of svg.querySelectorAll("[aria-label]")) {
    // The plot is one image, which has a name; in it a name says nothing to a reader, but something to style.
    group.setAttribute("class", group.getAttribute("aria-label")!.replaceAll(" ", "-"));
    group.removeAttribute("aria-label");
  }
  return svg.toString();
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

/** A domain of no width has no scale, nor has one whose steps are lost in rounding. */
function widened([least, most]: [number, number]): [number, number] {
  const size = Math.max(Math.abs(least), Math.abs(most));
  if (!Number.isFinite(size) || size < SMALLEST) return [0, 1];
  if (most - least > size * 1e-12) return [least, most];
  return [least - size * 0.1, most + size * 0.1];
}

function shortened(label: string): string {
  const characters = [...label];
  return characters.length > LONGEST_LABEL ? `${characters.slice(0, LONGEST_LABEL - 1).join("")}…` : label;
}
