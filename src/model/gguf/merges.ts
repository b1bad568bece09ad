import { Turns } from "../../base/yielding.js";

/** The two parts of a merge, and their lengths in characters. */
interface Merge {
  parts: [string, string];
  lengths: [number, number];
}

/**
 * The merges that SentencePiece's BPE makes: any two pieces whose concatenation is a piece, those with the better scores
 * first. Ties go to the longer left part, then the longer right part, then the order of the tokens.
 *
 * (The order is that of transformers, which makes the merges of SentencePiece models in the same way: generate_merges in
 * tokenization_utils_base.py.)
 */
export async function mergesOfPieces(pieces: readonly string[], scores: readonly number[]): Promise<string[][]> {
  const turns = new Turns();
  const ids = new Map(pieces.map((piece, id) => [piece, id]));
  const order = [...ids.values()].sort((a, b) => scores[b]! - scores[a]! || a - b);
  const merges: string[][] = [];
  for (let begin = 0; begin < order.length; ) {
    let end = begin + 1;
    while (end < order.length && scores[order[end]!] === scores[order[begin]!]) end++;
    const equal: Merge[] = [];
    for (const id of order.slice(begin, end)) {
      await turns.next();
      equal.push(...mergesOf(pieces[id]!, ids));
    }
    equal.sort((a, b) => b.lengths[0] - a.lengths[0] || b.lengths[1] - a.lengths[1]);
    for (const { parts } of equal) merges.push(parts);
    begin = end;
  }
  return merges;
}

/** All ways in which a piece is two others. */
function mergesOf(piece: string, ids: ReadonlyMap<string, number>): Merge[] {
  const characters = [...piece];
  const merges: Merge[] = [];
  let at = 0;
  for (let length = 1; length < characters.length; length++) {
    at += characters[length - 1]!.length;
    const parts: [string, string] = [piece.slice(0, at), piece.slice(at)];
    if (ids.has(parts[0]) && ids.has(parts[1])) merges.push({ parts, lengths: [length, characters.length - length] });
  }
  return merges;
}
