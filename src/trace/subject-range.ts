import type { Tokenizer } from "../model/tokenizer.js";

/**
 * The tokens of a prompt that cover the subject where it stands first, [begin, end); undefined where its text is not found.
 *
 * Places are counted in the text of ever more tokens together: a token alone may be a part of a character, and some
 * tokenizers drop the space in front of a token that stands alone.
 */
export function subjectRange(
  tokenizer: Tokenizer,
  tokens: readonly number[],
  subject: string,
): [begin: number, end: number] | undefined {
  const ends = tokenEnds(tokenizer, tokens);
  const text = tokenizer.decode(tokens);
  const first = text.indexOf(subject);
  if (first < 0) return undefined;
  const begin = ends.findIndex((end) => end > first);
  const last = ends.findIndex((end) => end >= first + subject.length);
  return [begin, last + 1];
}

/** Where each token ends in the text of all. */
function tokenEnds(tokenizer: Tokenizer, tokens: readonly number[]): number[] {
  // What has begun of a character is shown as U+FFFD until it is whole.
  return tokens.map((_, i) => tokenizer.decode(tokens.slice(0, i + 1)).replace(/\uFFFD+$/, "").length);
}

/** The text of each token; together they are the prompt's. */
export function tokenTexts(tokenizer: Tokenizer, tokens: readonly number[]): string[] {
  const ends = tokenEnds(tokenizer, tokens);
  const text = tokenizer.decode(tokens);
  return ends.map((end, i) => text.slice(i === 0 ? 0 : ends[i - 1]!, end));
}
