import { LyaplockError } from "../errors.js";
import { builtinFiles } from "../model/builtin.js";
import { type Dataset, datasets } from "./datasets.js";
import type { KnownFact } from "./records.js";

/** The known facts that come with the built-in model, in place of a file. */
export const ATLAS_KNOWLEDGE = "atlas";

/** A file of known facts, or those of "atlas". */
export function openKnowledge(place: string): Dataset<KnownFact> {
  return datasets.known(place === ATLAS_KNOWLEDGE ? builtinFiles("atlas").knowledge : place);
}

/**
 * Reads known facts, all of which must be good: what is passed over would not be missed in a share.
 *
 * @param place - A file of known facts, or "atlas".
 * @throws ERR_FILE, ERR_DATASET_FORMAT, ERR_ABORTED
 */
export async function readKnowledge(place: string, signal?: AbortSignal): Promise<KnownFact[]> {
  const dataset = openKnowledge(place);
  const facts: KnownFact[] = [];
  const onSkip = ({ index, reason }: { index: number; reason: string }) => {
    throw new LyaplockError("ERR_DATASET_FORMAT", `${dataset.path}: fact ${index}: ${reason}`);
  };
  for await (const fact of dataset.records({ onSkip, signal })) facts.push(fact);
  if (facts.length === 0) throw new LyaplockError("ERR_DATASET_FORMAT", `${dataset.path} holds no facts`);
  return facts;
}

export function knowledgeHash(place: string): Promise<string> {
  return openKnowledge(place).contentHash();
}
