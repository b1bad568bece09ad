// What the published metrics take for granted of Python, and JavaScript's patterns see otherwise. The classes are the inside of
// brackets, for patterns with the flag u.

/** \s: JavaScript's knows the byte-order mark, Python's the separators of ASCII. */
export const BLANKS = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

/** \w: letters and numbers of any script; no combining marks. */
export const WORD = "\\p{L}\\p{N}_";

/** [^\W\d] */
export const LETTERS = "\\p{L}\\p{Nl}\\p{No}_";

const blanks = new RegExp(`[${BLANKS}]+`, "u");
const lastBlanks = new RegExp(`[${BLANKS}]+$`, "u");

/** str.split() */
export function splitAtBlanks(text: string): string[] {
  return text.split(blanks).filter((part) => part !== "");
}

/** str.rstrip() */
export function trimEnd(text: string): string {
  return text.replace(lastBlanks, "");
}
