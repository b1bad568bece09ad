/** A text as one word of a POSIX shell's command line. */
export function inShell(word: string): string {
  return /^[\w./:,@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
