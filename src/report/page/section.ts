import { html, type Markup } from "../html.js";

/** A part of the page, reached from its list of contents. */
export interface Section {
  id: string;
  heading: string;
  body: Markup;
}

export function sectionElement({ id, heading, body }: Section): Markup {
  return html`<section aria-labelledby="${id}"><h2 id="${id}"><bdi>${heading}</bdi></h2>
${body}
</section>
`;
}
