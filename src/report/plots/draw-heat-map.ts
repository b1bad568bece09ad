import * as Plot from "@observablehq/plot";
import { figure as inDigits } from "../table.js";
import type { HeatMapFigure, HeatMapPanel } from "./figure.js";
import { type Drawing, headingText, inPixels, plotted, shortened, widened } from "./plotted.js";
import { HEAT_STEPS, heatColour } from "./styles.js";

const WIDTH = 760;
const MARGIN = { top: 28, right: 90, bottom: 48, left: 190 };
const ROW = 22;
/** A panel of few rows has room for its scale nevertheless. */
const LEAST_HEIGHT = 88;
const LONGEST_LABEL = 24;
/** Pixels for a number below a column. */
const TICK = 26;

/** Panels one below the other, each with its scale to the right. */
export function drawHeatMap(figure: HeatMapFigure): Drawing {
  const panels: string[] = [];
  let height = 0;
  for (const panel of figure.panels) {
    const inner = Math.max(LEAST_HEIGHT, panel.rows.length * ROW);
    const scale = scaleOf(panel);
    panels.push(
      `<g transform="translate(0,${height})">${headingText(panel.heading, MARGIN.left)}${drawCells(figure, panel, scale, inner)}` +
        `<g transform="translate(${WIDTH - MARGIN.right},${MARGIN.top})">${drawScale(figure.measure, scale, inner)}</g></g>`,
    );
    height += MARGIN.top + inner + MARGIN.bottom;
  }
  return { width: WIDTH, height, svg: panels.join("") };
}

interface Scale {
  least: number;
  most: number;
}

function scaleOf({ rows, reach }: HeatMapPanel): Scale {
  const values = rows.flatMap(({ points }) => points.map(({ y }) => y));
  const [least, most] = widened([Math.min(...values, ...reach), Math.max(...values, ...reach)]);
  return { least, most };
}

function drawCells({ x, y }: HeatMapFigure, { rows }: HeatMapPanel, { least, most }: Scale, inner: number): string {
  const cells = rows.flatMap(({ points }, row) => points.map((point) => ({ row, x: point.x, value: point.y })));
  const columns = [...new Set(cells.map((cell) => cell.x))].sort((a, b) => a - b);
  const every = Math.ceil((columns.length * TICK) / (WIDTH - MARGIN.left - MARGIN.right));
  const axis = { type: "band", padding: 0, tickSize: 0, labelAnchor: "center", labelArrow: "none" } as const;
  return plotted({
    ...{ width: WIDTH, height: MARGIN.top + inner + MARGIN.bottom },
    ...{ marginTop: MARGIN.top, marginRight: MARGIN.right, marginBottom: MARGIN.bottom, marginLeft: MARGIN.left },
    x: {
      ...axis,
      domain: columns,
      ticks: columns.filter((_, index) => index % every === 0),
      label: x,
      labelOffset: 36,
    },
    y: {
      ...axis,
      domain: rows.map((_, row) => row),
      tickFormat: (row: number) => shortened(rows[row]!.label, LONGEST_LABEL),
      label: y,
      labelOffset: MARGIN.left - 14,
    },
    color: { type: "identity" },
    marks: [
      Plot.cell(cells, {
        ...{ x: "x", y: "row", inset: 0.5 },
        fill: ({ value }: { value: number }) => heatColour((value - least) / (most - least)),
      }),
    ],
  });
}

/** From the largest value at the top to the smallest, in the steps that cells have. */
function drawScale(measure: string, { least, most }: Scale, height: number): string {
  const steps = Array.from({ length: HEAT_STEPS }, (_, step) => step);
  const digits = Math.max(0, 2 - Math.floor(Math.log10(most - least)));
  const ends = [1, 0.5, 0].map((share) => ({ y: (1 - share) * height, value: least + share * (most - least) }));
  const place = (step: number) => height * (1 - step / HEAT_STEPS);
  return plotted({
    ...{ width: MARGIN.right, height, margin: 0, x: inPixels, y: inPixels, color: { type: "identity" } },
    marks: [
      Plot.text([measure], {
        x: () => 14,
        y: () => 12 - MARGIN.top,
        text: (text: string) => text,
        textAnchor: "start",
      }),
      Plot.rect(steps, {
        ...{ x1: () => 14, x2: () => 26, y1: (step: number) => place(step + 1), y2: place },
        fill: (step: number) => heatColour(step / (HEAT_STEPS - 1)),
        shapeRendering: "crispEdges",
      }),
      Plot.text(ends, {
        ...{ x: () => 32, y: "y", textAnchor: "start" },
        text: ({ value }: { value: number }) => inDigits(Number(value.toFixed(Math.min(100, digits)))),
      }),
    ],
  });
}
