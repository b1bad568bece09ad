import { type PunktModel, Seen } from "./punkt-model.js";
import { BLANKS, LETTERS, trimEnd } from "./python-text.js";

/**
 * The sentences of a text: Punkt (Kiss and Strunk 2006) as NLTK 3.9.1 applies it, with what its model knows of the language. A
 * mark that may end a sentence does so unless its word is an abbreviation, an initial or a number, and of those the word that
 * follows decides.
 */
export function splitSentences(text: string, model: PunktModel): string[] {
  return realigned(text, [...spans(text, model)]).map(([start, end]) => text.slice(start, end));
}

type Span = [start: number, end: number];

const notWithinWords = "[)\";}\\]*:@'({[?!]";
const manyMarks = `(?:-{2,}|\\.{2,}|(?:\\.[${BLANKS}]){2,}\\.)`;
const wordEnd = `[${BLANKS}]|$|${notWithinWords}|${manyMarks}`;

/** A mark that may end a sentence, if something follows; and what follows, a mark or a word. */
const ending = new RegExp(`[.?!](?=(?<next>${notWithinWords}|[${BLANKS}]+(?<word>[^${BLANKS}]+)))`, "gu");

const token = new RegExp(
  `${manyMarks}|(?=[^("\`{[:;&#*@)}\\]\\-,])[^${BLANKS}]+?(?=${wordEnd}|,(?=${wordEnd}))|[^${BLANKS}]`,
  "gu",
);

/** What closes after the end of a sentence, and belongs to it. */
const closing = new RegExp(`^["')\\]}]+?(?:[${BLANKS}]+|(?=--)|(?=\\n)|$)`, "u");

function* spans(text: string, model: PunktModel): Generator<Span> {
  let start = 0;
  for (const { match, context } of candidates(text)) {
    if (!endsSentence(context, model)) continue;
    const end = match.index + 1;
    yield [start, end];
    const { next, word } = match.groups!;
    start = word === undefined ? end : end + next!.length - word.length;
  }
  yield [start, trimEnd(text).length];
}

/** Of marks that follow each other ("!!!") only the last is one. Context: the word before, the mark, and what follows. */
function* candidates(text: string): Generator<{ match: RegExpExecArray; context: string }> {
  const found = (match: RegExpExecArray, [start, end]: Span) => ({
    match,
    context: text.slice(start, end) + match[0] + match.groups!.next!,
  });
  let before: Span = [0, 0];
  let last: RegExpExecArray | undefined;
  for (const match of text.matchAll(ending)) {
    const blank = lastBlank(text.slice(before[1], match.index));
    // A blank that comes first counts as none, in NLTK too.
    const start = blank === 0 ? before[0] : before[1] + blank + 1;
    if (last !== undefined && before[1] <= start) yield found(last, before);
    last = match;
    before = [start, match.index];
  }
  if (last !== undefined) yield found(last, before);
}

function lastBlank(text: string): number {
  for (let i = text.length - 1; i > 0; i--) if (" \t\n\r\v\f".includes(text[i]!)) return i;
  return 0;
}

/** Quotation marks and brackets that close right after a sentence go with it. */
function realigned(text: string, sentences: Span[]): Span[] {
  const moved: Span[] = [];
  let shift = 0;
  sentences.forEach(([begin, end], i) => {
    const start = begin + shift;
    shift = 0;
    const next = sentences[i + 1];
    const closes = next === undefined ? undefined : closing.exec(text.slice(next[0], next[1]))?.[0];
    if (closes !== undefined) {
      moved.push([start, next![0] + trimEnd(closes).length]);
      shift = closes.length;
    } else if (start < end) moved.push([start, end]);
  });
  return moved;
}

interface Token {
  text: string;
  /** In lower case, a number as "##number##". */
  type: string;
  ends: boolean;
  abbreviates: boolean;
}

const number = /^-?[.,]?\p{Nd}[\p{Nd},.-]*\.?$/u;
const initial = new RegExp(`^[${LETTERS}]\\.$`, "u");
const ellipsis = /^\.\.+$/;

/** Whether a sentence ends within the context, before its last token. */
function endsSentence(context: string, model: PunktModel): boolean {
  const tokens = context.split("\n").flatMap((line) => [...line.matchAll(token)].map(([text]) => read(text!, model)));
  tokens.forEach((token, i) => {
    if (i + 1 < tokens.length) reconsider(token, tokens[i + 1]!, model);
  });
  return tokens.slice(0, -1).some(({ ends }) => ends);
}

/** A token by itself. */
function read(text: string, { abbreviations }: PunktModel): Token {
  const lower = text.toLowerCase();
  const type = lower.replace(number, "##number##");
  const plain: Token = { text, type, ends: false, abbreviates: false };
  if (text === "." || text === "?" || text === "!") return { ...plain, ends: true };
  if (!text.endsWith(".") || text.endsWith("..")) return plain;
  const word = lower.slice(0, -1);
  const known = abbreviations.has(word) || abbreviations.has(word.split("-").at(-1)!);
  return { ...plain, abbreviates: known, ends: !known };
}

/** A token by what comes after it (Kiss and Strunk, section 4). */
function reconsider(token: Token, next: Token, model: PunktModel): void {
  if (!token.text.endsWith(".")) return;
  const continues = () => Object.assign(token, { ends: false, abbreviates: true });
  const word = withoutStop(token.type);
  const nextWord = next.ends ? withoutStop(next.type) : next.type;
  if (model.collocations.has(`${word} ${nextWord}`)) {
    continues();
    return;
  }
  const isInitial = initial.test(token.text);
  const starts = startsSentence(next, nextWord, model);
  if ((token.abbreviates || ellipsis.test(token.text)) && !isInitial) {
    if (starts === true || (isUpper(next.text) && model.sentenceStarters.has(nextWord))) {
      token.ends = true;
      return;
    }
  }
  if (!isInitial && word !== "##number##") return;
  const neverLower = ((model.orthography.get(nextWord) ?? 0) & Seen.lower) === 0;
  if (starts === false || (starts === undefined && isInitial && isUpper(next.text) && neverLower)) continues();
}

/** Whether a word begins a sentence, by the cases in which it was seen; undefined where they do not tell. */
function startsSentence(token: Token, word: string, { orthography }: PunktModel): boolean | undefined {
  if (/^[;:,.!?]$/.test(token.text)) return false;
  const seen = orthography.get(word) ?? 0;
  if (isUpper(token.text) && (seen & Seen.lower) !== 0 && (seen & Seen.upperWithin) === 0) return true;
  if (isLower(token.text) && ((seen & Seen.upper) !== 0 || (seen & Seen.lowerAtBeginning) === 0)) return false;
  return undefined;
}

function withoutStop(type: string): string {
  return type.length > 1 && type.endsWith(".") ? type.slice(0, -1) : type;
}

function isUpper(text: string): boolean {
  return /^\p{Uppercase}/u.test(text);
}

function isLower(text: string): boolean {
  return /^\p{Lowercase}/u.test(text);
}
