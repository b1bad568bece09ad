import fc from "fast-check";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { foreign, html, Markup } from "../../src/report/html.js";
import { svgFile } from "../../src/report/plots/draw.js";
import { type CurveFigure, figureData, type HeatMapFigure, thinned } from "../../src/report/plots/figure.js";
import { curveStyle, HEAT_STEPS, plotStyle } from "../../src/report/plots/styles.js";

describe("html", () => {
  it("makes text of whatever is filled in, and an element of nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const { source } = html`<p title="${text}">${text}</p>`;
        const { document } = parseHTML(`<html><body>${source}</body></html>`);
        expect(document.querySelectorAll("body *").length).toBe(1);
        const shown = text.replace(/(?![\t\n\r])[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, "\uFFFD");
        expect(document.querySelector("p")!.textContent).toBe(shown);
        expect(source).toBe(html`<p title="${text}">${[text]}</p>`.source);
      }),
      { numRuns: 50 },
    );
  });

  it("leaves markup as it is, and isolates what came with a run", () => {
    expect(html`${new Markup("<b>")}${null}${2}${foreign("a & b")}`.source).toBe("<b>2<bdi>a &amp; b</bdi>");
  });
});

describe("a figure", () => {
  const curve = (label: string, style: number, values: number[]) => {
    return { label, style, points: values.map((y, index) => ({ x: 10 * (index + 1), y })) };
  };
  const figure: CurveFigure = {
    ...{ id: "loss", title: "A <loss>", explanation: "what it is", x: "edits", y: "loss", panelsBy: "layer" },
    mayBeLogarithmic: true,
    panels: [
      { name: "3", curves: [curve("a", 0, [1, 2]), curve("b", 1, [5])] },
      { name: "4", curves: [{ ...curve("a", 0, [7]), points: [{ x: 10, y: 7, error: 0.5 }] }] },
    ],
  };

  it("has its data as a table, with a gap where a curve has no point", () => {
    const { columns, rows } = figureData(figure);
    expect(columns.map(({ heading }) => heading)).toEqual(["layer", "edits", "a", "b"]);
    expect(rows).toEqual([
      ["3", 10, 1, 5],
      ["3", 20, 2, null],
      ["4", 10, { mean: 7, standardError: 0.5, count: 1 }, null],
    ]);
  });

  it("is drawn with a logarithmic axis where values are of different magnitude, and only then", () => {
    const label = "loss, logarithmic";
    const wide = [curve("a", 0, [1, 1e4])];
    expect(svgFile(figure)).not.toContain(label);
    expect(svgFile({ ...figure, panels: [{ name: "3", curves: wide }] })).toContain(label);
    expect(svgFile({ ...figure, mayBeLogarithmic: false, panels: [{ name: "3", curves: wide }] })).not.toContain(label);
  });

  it("is drawn whatever its values are", () => {
    const value = fc.oneof(
      fc.constant(0),
      fc.double({ min: -1e300, max: 1e300, noNaN: true }),
      fc.double({ min: 1e-300, max: 1 }),
    );
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 4 }), fc.boolean(), (values, mayBeLogarithmic) => {
        const svg = svgFile({ ...figure, mayBeLogarithmic, panels: [{ name: "", curves: [curve("a", 0, values)] }] });
        expect(svg).toMatch(/<path/);
        expect(svg).not.toMatch(/NaN|undefined/);
      }),
      {
        numRuns: 30,
        examples: [
          [[1e-300, 1.0000000000000002e-300], false],
          [[-5e-324], false],
          [[5e-324, 1], true],
        ],
      },
    );
  });

  it("has a band around each curve where errors are bands, and shades a stretch, up to the curves' ends", () => {
    const points = [0, 1, 2, 3].map((x) => ({ x, y: 10 * x, error: 5 }));
    const drawn: CurveFigure = {
      ...{ ...figure, errors: "95 % band", span: { from: 1, to: 2, label: "layers <b>" } },
      panels: [{ name: "", curves: [{ label: "a", style: 0, points }] }],
    };
    const { document } = parseHTML(`<html><body>${svgFile(drawn)}</body></html>`);
    expect(document.querySelectorAll("g.area path").length).toBe(1);
    expect(document.querySelector('[fill="var(--curve-0)"] path, path[fill="var(--curve-0)"]')).not.toBeNull();
    expect(document.querySelectorAll("g.rule").length).toBe(0);
    expect(document.querySelectorAll("g.rect rect").length).toBe(2); // in the plot and in the legend
    expect(texts(document)).toContain("layers <b>");
    expect(figureData(drawn).rows[3]).toEqual([3, { mean: 30, band: 5 }]);
  });

  it("keeps the ends of a curve of many points, and all of one of few", () => {
    const many = Array.from({ length: 1234 }, (_, x) => ({ x, y: x }));
    const few = thinned(many);
    expect(few).toHaveLength(200);
    expect([few[0], few.at(-1)]).toEqual([many[0], many.at(-1)]);
    expect(thinned(many.slice(0, 150))).toEqual(many.slice(0, 150));
  });

  it("leaves room for the labels of its legend, and for two of Asia's scripts", () => {
    const many = (label: string) => {
      const curves = Array.from({ length: 9 }, (_, style) => curve(`${label} ${style}`, style, [1, 2]));
      const { document } = parseHTML(
        `<html><body>${svgFile({ ...figure, panels: [{ name: "", curves }] })}</body></html>`,
      );
      const legend = document.querySelector("svg svg")!;
      const places = [...legend.querySelectorAll("text")].map(
        (text) =>
          /translate\((\d+)/.exec(text.getAttribute("transform") ?? text.parentElement!.getAttribute("transform")!)![1],
      );
      return new Set(places).size;
    };
    expect([many("a"), many("a label of more characters"), many("四十二四十二四十二四十二四十二四十二四")]).toEqual([
      3, 2, 1,
    ]);
  });

  it("gives each of many runs a style of its own", () => {
    const styles = Array.from({ length: 315 }, (_, index) => JSON.stringify(curveStyle(index)));
    expect(new Set(styles).size).toBe(315);
  });
});

describe("a heat map", () => {
  const row = (label: string, values: number[]) => ({ label, points: values.map((y, x) => ({ x, y })) });
  const figure: HeatMapFigure = {
    ...{ id: "effects", title: "effects", explanation: "what they are", x: "layer", y: "", panelsBy: "restored" },
    measure: "points",
    panels: [
      {
        name: "states",
        heading: "states restored",
        reach: [0, 0],
        rows: [row("first", [0, 50, 100]), row("<last>", [25, 0, 75])],
      },
      { name: "MLPs", heading: "MLPs restored", reach: [0, 0], rows: [row("first", [-1, 0, 1])] },
    ],
  };

  it("colours each cell by its share of the panel's scale", () => {
    const { document } = parseHTML(`<html><body>${svgFile(figure)}</body></html>`);
    const steps = [...document.querySelectorAll("g.cell rect")].map((cell) =>
      Number(/--heat-(\d+)/.exec(cell.getAttribute("fill")!)![1]),
    );
    const share = (value: number) => Math.round(value * (HEAT_STEPS - 1));
    expect(steps).toEqual([0, 0.5, 1, 0.25, 0, 0.75, 0, 0.5, 1].map(share));
    const places = [...document.querySelectorAll("g.cell")].map((panel) =>
      ["x", "y"].map((axis) => [...panel.querySelectorAll("rect")].map((cell) => Number(cell.getAttribute(axis)))),
    );
    const [[x, y]] = places as [[number[], number[]]];
    expect([x[0]! < x[1]!, x[1]! < x[2]!, x[0] === x[3]]).toEqual([true, true, true]);
    expect([y[0] === y[2], y[2]! < y[3]!]).toEqual([true, true]);
    const labels = [...document.querySelector("g.y-axis-tick-label")!.querySelectorAll("text")];
    expect(labels.map(({ textContent }) => textContent)).toEqual(["first", "<last>"]);
    for (const text of ["first", "<last>", "100", "50", "points", "states restored", "layer"]) {
      expect(texts(document)).toContain(text);
    }
  });

  it("gets lighter in every step on a dark ground, and darker on a light one", () => {
    const grounds = plotStyle.split("prefers-color-scheme: dark");
    const lightness = grounds.map((style) =>
      Array.from({ length: HEAT_STEPS }, (_, step) => {
        const colour = new RegExp(`--heat-${step}: rgb\\((\\d+), (\\d+), (\\d+)\\)`).exec(style)!;
        const [red, green, blue] = colour.slice(1).map((part) => (Number(part) / 255) ** 2.2);
        return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
      }),
    );
    const [light, dark] = lightness as [number[], number[]];
    expect(light.every((value, step) => step === 0 || value < light[step - 1]!)).toBe(true);
    expect(dark.every((value, step) => step === 0 || value > dark[step - 1]!)).toBe(true);
  });

  it("has its data as a table: a row for each panel and layer", () => {
    const { columns, rows } = figureData(figure);
    expect(columns.map(({ heading }) => heading)).toEqual(["restored", "layer", "first", "<last>"]);
    expect(rows).toEqual([
      ...[
        ["states", 0, 0, 25],
        ["states", 1, 50, 0],
        ["states", 2, 100, 75],
      ],
      ...[
        ["MLPs", 0, -1, null],
        ["MLPs", 1, 0, null],
        ["MLPs", 2, 1, null],
      ],
    ]);
  });

  it("is drawn whatever its values and labels are", () => {
    const value = fc.oneof(
      fc.constant(0),
      fc.double({ min: -1e300, max: 1e300, noNaN: true }),
      fc.double({ min: 1e-300, max: 1, noNaN: true }),
    );
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 4 }), fc.string({ unit: "binary" }), (values, label) => {
        const svg = svgFile({ ...figure, panels: [{ ...figure.panels[0]!, rows: [row(label, values)] }] });
        expect(svg.match(/<g[^>]*class="cell".*?<\/g>/)![0].match(/<rect/g)).toHaveLength(values.length);
        expect(svg.replaceAll(label, "")).not.toMatch(/NaN|undefined|Infinity/);
        expect(svg).not.toContain("\u0000");
      }),
      {
        numRuns: 40,
        examples: [
          [[0, 0], "\u0000\uD800"],
          [[5e-324, 0], ""],
        ],
      },
    );
  });
});

function texts(document: ReturnType<typeof parseHTML>["document"]): (string | null)[] {
  return [...document.querySelectorAll("text")].map(({ textContent }) => textContent);
}
