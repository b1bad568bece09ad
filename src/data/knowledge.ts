import { contentHash } from "../base/content-hash.js";
import { LyaplockError } from "../errors.js";
import { builtinFiles } from "../model/builtin.js";
import { datasets } from "./datasets.js";
import type { KnownFact } from "./records.js";

/** The known facts that come with the built-in model, in place of a file. */
export const ATLAS_KNOWLEDGE = "atlas";

/**
 * Reads known facts, all of which must be good: what is passed over would not be missed in a share.
 *
 * @param place - A file of known facts, or "atlas".
 * @throws ERR_FILE, ERR_DATASET_FORMAT, ERR_ABORTED
 */
export async function readKnowledge(place: string, signal?: AbortSignal): Promise<KnownFact[]> {
  const path = knowledgeFile(place);
  const facts: KnownFact[] = [];
  const onSkip = ({ index, reason }: { index: number; reason: string }) => {
    throw new LyaplockError("ERR_DATASET_FORMAT", `${path}: fact ${index}: ${reason}`);
  };
  for await (const fact of datasets.known(path).records({ onSkip, signal })) facts.push(fact);
  if (facts.length === 0) throw new LyaplockError("ERR_DATASET_FORMAT", `${path} holds no facts`);
  return facts;
}

export function knowledgeHash(place: string): Promise<string> {
  return contentHash([knowledgeFile(place)]);
}

function knowledgeFile(place: string): string {
  return place === ATLAS_KNOWLEDGE ? builtinFiles("atlas").knowledge : place;
}
