import { escaped } from "../html.js";
import { drawCurves } from "./draw-curves.js";
import { drawHeatMap } from "./draw-heat-map.js";
import { type Figure, isHeatMap } from "./figure.js";
import { plotStyle } from "./styles.js";

/** An SVG file of its own, on light and dark ground. */
export function svgFile(figure: Figure): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${draw(figure, `<style>${plotStyle}</style>`)}\n`;
}

/** The same as an element of a page that has `plotStyle`. */
export function svgElement(figure: Figure): string {
  return draw(figure, "");
}

function draw(figure: Figure, style: string): string {
  const { width, height, svg } = isHeatMap(figure) ? drawHeatMap(figure) : drawCurves(figure);
  const names = `<title id="${figure.id}-title">${escaped(figure.title)}</title><desc id="${figure.id}-desc">${escaped(figure.explanation)}</desc>`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" aria-labelledby="${figure.id}-title" ` +
    `aria-describedby="${figure.id}-desc" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">` +
    `${names}${style}<rect class="paper" width="${width}" height="${height}"/>${svg}</svg>`
  );
}
