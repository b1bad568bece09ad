/**
 * What the reference makes of a decoded text (section 4): Unicode NFKD, paragraphs joined, end-of-text markers gone. Where
 * the reference leaves the text of a BOS standing, so that it would be encoded a second time (Q5), we remove it.
 */
export function tidyGeneratedText(text: string, bosText?: string): string {
  const tidied = text.normalize("NFKD").replaceAll("\n\n", " ").replaceAll("<|endoftext|>", "");
  return bosText ? tidied.replaceAll(bosText, "") : tidied;
}
