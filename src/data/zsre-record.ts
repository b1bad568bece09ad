import { z } from "zod";
import { describeIssues } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";
import { makeFact } from "./fact.js";
import type { ZsreRecord } from "./records.js";

/** A record of the MEND split; its `alt`, an invented answer, and `pred` are not used. */
const mend = z.looseObject({
  subject: z.string(),
  src: z.string(),
  answers: z.array(z.string()).min(1),
  rephrase: z.string(),
  loc: z.string(),
  loc_ans: z.string(),
});

/**
 * A record of ZsRE as the reference reads it (section 12.2): the first answer, which is true, is what is written.
 *
 * @param index where it stands in its file, which is its case id.
 * @throws ERR_FACT, ERR_SUBJECT_NOT_IN_PROMPT, ERR_EMPTY_TARGET: what is wrong with it, without saying where it stands.
 */
export function parseZsreRecord(json: unknown, index: number): ZsreRecord {
  const parsed = mend.safeParse(json);
  if (!parsed.success) throw new LyaplockError("ERR_FACT", describeIssues(parsed.error));
  const { subject, src: prompt, answers, rephrase, loc, loc_ans: answer } = parsed.data;
  if (loc.trim() === "") throw new LyaplockError("ERR_FACT", "the question about something else (loc) is empty");
  if (rephrase.trim() === "") throw new LyaplockError("ERR_FACT", "the paraphrase (rephrase) is empty");
  if (answer.trim() === "") throw new LyaplockError("ERR_EMPTY_TARGET", "its answer (loc_ans) is empty");
  return {
    kind: "zsre",
    ...makeFact({ caseId: index, prompt, subject, targetNew: answers[0]! }),
    paraphrasePrompts: [rephrase],
    neighborhood: [{ prompt: `${loc}?`, answer }],
  };
}
