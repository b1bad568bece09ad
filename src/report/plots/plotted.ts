import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { escaped, printable } from "../html.js";

/** What a figure looks like: the inside of an SVG element of that size. */
export interface Drawing {
  width: number;
  height: number;
  svg: string;
}

/** Plot needs a document to make elements of; linkedom's is enough and starts no browser. */
const { document } = parseHTML("<html><body></body></html>");

/** A plot as the source of an SVG element. */
export function plotted(options: Plot.PlotOptions): string {
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

/** Places in pixels, for what is not on axes. */
export const inPixels = { type: "identity", axis: null } as const;

/** Above a panel. */
export function headingText(heading: string, x: number): string {
  return `<text class="heading" x="${x}" y="16">${escaped(heading)}</text>`;
}

/** A label of so many characters, of such as an SVG file may hold. */
export function shortened(label: string, longest: number): string {
  const characters = [...printable(label)];
  return characters.length > longest ? `${characters.slice(0, longest - 1).join("")}…` : characters.join("");
}

/** What is smaller is drawn as 0: near the least number that a double holds there is no room for ticks. */
export const SMALLEST = 1e-300;

/** A domain of no width has no scale, and one of hardly any has no ticks that doubles could tell apart. */
export function widened([least, most]: [number, number]): [number, number] {
  const size = Math.max(Math.abs(least), Math.abs(most));
  if (!Number.isFinite(size) || size < SMALLEST) return [0, 1];
  if (most - least > size * 1e-9) return [least, most];
  return [least - size * 0.1, most + size * 0.1];
}
