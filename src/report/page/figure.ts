import { foreign, html, Markup } from "../html.js";
import { svgElement } from "../plots/draw.js";
import { type Figure, figureData } from "../plots/figure.js";
import { tableElement } from "./table.js";

/** A plot with its title, what is seen in it, and its data. It scrolls by itself where it is wider than the page. */
export function figureElement(figure: Figure): Markup {
  return html`<h3>${foreign(figure.title)}</h3>
<figure id="${figure.id}"><div class="wide" role="region" aria-label="plot: ${figure.title}" tabindex="0">${new Markup(svgElement(figure))}</div>
<figcaption>${foreign(figure.explanation)}</figcaption>
<details><summary>Data of this plot: ${foreign(figure.title)}</summary>${tableElement(figureData(figure))}</details></figure>
`;
}
