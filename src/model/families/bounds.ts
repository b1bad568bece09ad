import { z } from "zod";

// A config.json is a claim by a stranger: every size is held against what real models need, with room, before anything is
// computed from it. Products of two of them stay far below 2^53.

/** The deepest published models have 126 layers. */
export const layerCount = z.int().min(1).max(1_000);
/** The widest have 16,384 (and 53,248 in the feed-forward part). */
export const layerWidth = z.int().min(1).max(1_048_576);
export const headCount = z.int().min(1).max(4_096);
export const headWidth = z.int().min(1).max(1_048_576);
/** The largest vocabularies have 262,144 entries. */
export const vocabularySize = z.int().min(1).max(4_194_304);
/** The longest contexts are of 10 million tokens. */
export const positionCount = z.int().min(1).max(16_777_216);
export const normEpsilon = z.number().positive().max(1);
export const rotaryBase = z.number().positive().max(1e12);
