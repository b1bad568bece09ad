import fc from "fast-check";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { foreign, html, Markup } from "../../src/report/html.js";
import { svgFile } from "../../src/report/plots/draw.js";
import { type Figure, figureData, thinned } from "../../src/report/plots/figure.js";
import { curveStyle } from "../../src/report/plots/styles.js";

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
  const figure: Figure = {
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
          [[-5e-324], false],
          [[5e-324, 1], true],
          [[1, 1 + 2 ** -52], false],
        ],
      },
    );
  });

  it("keeps the ends of a curve of many points, and all of one of few", () => {
    const many = Array.from({ length: 1234 }, (_, x) => ({ x, y: x }));
    const few = thinned(many);
    expect(few).toHaveLength(200);
    expect([few[0], few.at(-1)]).toEqual([many[0], many.at(-1)]);
    expect(thinned(many.slice(0, 150))).toEqual(many.slice(0, 150));
  });

  it("gives each of many runs a style of its own", () => {
    const styles = Array.from({ length: 315 }, (_, index) => JSON.stringify(curveStyle(index)));
    expect(new Set(styles).size).toBe(315);
  });
});
