import { punktModel } from "./punkt-model.js";
import { BLANKS, splitAtBlanks, WORD } from "./python-text.js";
import { splitSentences } from "./sentences.js";

/**
 * The words and marks of an English text, as `word_tokenize` of NLTK 3.9.1 finds them: sentences first, then the rules of the
 * Penn Treebank in each. Quotation marks become `` and ''. No package for JavaScript has these rules as they are there.
 */
export async function wordsOf(text: string): Promise<string[]> {
  return splitSentences(text, await punktModel()).flatMap(wordsOfSentence);
}

type Rule = readonly [pattern: RegExp, replacement: string];

/** NLTK's rules (nltk/tokenize/destructive.py), in order; each puts blanks where words shall part. */
const beforePadding: Rule[] = [
  // Quotation marks that open.
  [/([«“‘„]|[`]+)/gu, " $1 "],
  [/^"/u, "``"],
  [/(``)/gu, " $1 "],
  [/([ ([{<])("|'{2})/gu, "$1 `` "],
  [new RegExp(`(')(?!re|ve|ll|m|t|s|d|n)([${WORD}])(?![${WORD}])`, "giu"), "$1 $2"],
  // Punctuation; a full stop only at the end, with what may close after it.
  [new RegExp(`([^.])(\\.)([\\]\\)}>"'»”’ ]*)[${BLANKS}]*$`, "u"), "$1 $2 $3 "],
  [/([:,])(\P{Nd})/gu, " $1 $2"],
  [/([:,])(?=\n?$)/gu, " $1 "],
  [/\.{2,}/gu, " $& "],
  [/[;@#$%&]/gu, " $& "],
  [new RegExp(`([^.])(\\.)([\\]\\)}>"']*)[${BLANKS}]*$`, "u"), "$1 $2$3 "],
  [/[?!]/gu, " $& "],
  [/([^'])' /gu, "$1 ' "],
  [/[*]/gu, " $& "],
  [/[\][(){}<>]/gu, " $& "],
  [/--/gu, " -- "],
];

const afterPadding: Rule[] = [
  // Quotation marks that close, and what is contracted.
  [/([»”’])/gu, " $1 "],
  [/''/gu, " '' "],
  [/"/gu, " '' "],
  [new RegExp(`[${BLANKS}]+`, "gu"), " "],
  [/([^' ])('[sS]|'[mM]|'[dD]|') /gu, "$1 $2 "],
  [/([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) /gu, "$1 $2 "],
  ...["can not", "d 'ye", "gim me", "gon na", "got ta", "lem me", "more 'n"].map(contraction),
  [new RegExp(`(?<![${WORD}])(wan)(na)(?=[${BLANKS}])`, "giu"), " $1 $2 "],
  [new RegExp(` ('t)(is)(?![${WORD}])`, "giu"), " $1 $2 "],
  [new RegExp(` ('t)(was)(?![${WORD}])`, "giu"), " $1 $2 "],
];

function contraction(parts: string): Rule {
  const [first, second] = parts.split(" ");
  return [new RegExp(`(?<![${WORD}])(${first})(${second})(?![${WORD}])`, "giu"), " $1 $2 "];
}

function wordsOfSentence(sentence: string): string[] {
  const applied = (rules: Rule[], text: string) =>
    rules.reduce((so, [pattern, replacement]) => so.replace(pattern, replacement), text);
  return splitAtBlanks(applied(afterPadding, ` ${applied(beforePadding, sentence)} `));
}
