/** Markup that is safe to put into a page as it is. */
export class Markup {
  constructor(readonly source: string) {}
}

type Content = Markup | string | number | null | readonly Content[];

/** HTML in which everything that is filled in is text, unless it is markup already; null is nothing. */
export function html(strings: TemplateStringsArray, ...contents: Content[]): Markup {
  return new Markup(strings.reduce((all, part, index) => all + sourceOf(contents[index - 1]!) + part));
}

function sourceOf(content: Content): string {
  if (content === null) return "";
  if (content instanceof Markup) return content.source;
  if (typeof content === "object") return content.map(sourceOf).join("");
  return escaped(String(content));
}

/** A text that came with a run: whatever direction it is written in, what stands beside it keeps its place. */
export function foreign(text: string): Markup {
  return html`<bdi>${text}</bdi>`;
}

/** The same where there can be no markup. Its own marks of direction, which could end what isolates it, are left out. */
export function isolated(text: string): string {
  return `\u2068${text.replace(/[\u202A-\u202E\u2066-\u2069]/g, "")}\u2069`;
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** As text of HTML or XML, or of an attribute in quotes. */
export function escaped(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => entities[character]!);
}

/** A text in which characters that neither HTML nor XML may hold are replaced. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, (character) =>
    /[\t\n\r]/.test(character) ? character : "\uFFFD",
  );
}
