import { z } from "zod";
import { describeIssues } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";
import type { KnownFact } from "./records.js";

/** As published; its `template` ends sooner than the prompt does, and its `prediction` is another model's. */
const published = z.looseObject({
  known_id: z.int(),
  subject: z.string(),
  attribute: z.string(),
  prompt: z.string(),
  relation_id: z.string().optional(),
});

/**
 * A known fact for causal tracing (reference, section 14).
 *
 * @throws ERR_FACT, ERR_SUBJECT_NOT_IN_PROMPT, ERR_EMPTY_TARGET: what is wrong with it, without saying where it stands.
 */
export function parseKnownFact(json: unknown): KnownFact {
  const parsed = published.safeParse(json);
  if (!parsed.success) throw new LyaplockError("ERR_FACT", describeIssues(parsed.error));
  const { known_id: knownId, subject, attribute, prompt, relation_id: relationId } = parsed.data;
  if (subject.trim() === "") throw new LyaplockError("ERR_FACT", "the subject is empty");
  if (attribute.trim() === "") throw new LyaplockError("ERR_EMPTY_TARGET", "the attribute is empty");
  if (!prompt.includes(subject)) {
    const what = `the subject "${subject}" is not in the prompt "${prompt}"`;
    throw new LyaplockError("ERR_SUBJECT_NOT_IN_PROMPT", what);
  }
  return { knownId, prompt, subject, attribute, ...(relationId === undefined ? {} : { relationId }) };
}
