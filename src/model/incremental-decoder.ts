/** What a decoder writes for bytes that are no character, or not yet one. */
const REPLACEMENT = "\uFFFD";

/** Ids that are decoded again with the next one: how an id reads can depend on those before it (a leading space, a character
 * whose bytes are spread over several). No character has more than four bytes. */
const WINDOW = 8;

/**
 * Text of token ids that come one at a time, in pieces that never split a character: what `push` and `end` return, joined, is
 * the text of all ids.
 */
export class IncrementalDecoder {
  /** The last ids whose text is out, and those since. */
  private window: readonly number[];
  /** Text of the window that is out. */
  private told: string;

  /**
   * @param decode Text of ids.
   * @param before Ids that come before the first one pushed: their text is not told again.
   */
  constructor(
    private readonly decode: (ids: readonly number[]) => string,
    before: readonly number[] = [],
  ) {
    this.window = before.slice(-WINDOW);
    this.told = decode(this.window);
  }

  /** The text that is whole with this id. */
  push(id: number): string {
    this.window = [...this.window, id];
    const text = this.decode(this.window);
    const whole = text.endsWith(REPLACEMENT) ? text.slice(0, -1) : text; // the next id may bring the rest
    if (whole.length < this.told.length) return "";
    const piece = whole.slice(this.told.length);
    this.told = whole;
    if (whole === text) {
      this.window = this.window.slice(-WINDOW);
      this.told = this.decode(this.window);
    }
    return piece;
  }

  /** What is left when no id follows: bytes that are no character. */
  end(): string {
    return this.decode(this.window).slice(this.told.length);
  }
}
