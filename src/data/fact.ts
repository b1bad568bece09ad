import { z } from "zod";
import { describeIssues } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";
import type { Fact } from "./records.js";

/** The place of the subject in a prompt. */
const PLACE = "{}";

/** A target is a string, or an object with `str` as CounterFact has it. */
export const target = z.union([z.string(), z.looseObject({ str: z.string() }).transform(({ str }) => str)]);

/** A fact as people write it for `lyaplock edit`; the names are the reference's. */
const writtenFact = z
  .looseObject({
    case_id: z.int().optional(),
    prompt: z.string(),
    subject: z.string(),
    target_new: target.optional(),
    target: target.optional(),
    target_true: target.optional(),
    ground_truth: target.optional(),
  })
  .refine((fact) => fact.target_new !== undefined || fact.target !== undefined, {
    message: "expected string, or an object with str",
    path: ["target_new"],
  });

/**
 * A fact from JSON: prompt (with "{}" for the subject, or with the subject itself, once), subject, target_new or target,
 * and perhaps target_true or ground_truth, case_id.
 *
 * @param index where the fact stands in its file; its case id if it has none.
 * @throws ERR_FACT, ERR_SUBJECT_NOT_IN_PROMPT, ERR_EMPTY_TARGET
 */
export function parseFact(json: unknown, index: number): Fact {
  const parsed = writtenFact.safeParse(json);
  if (!parsed.success) throw new LyaplockError("ERR_FACT", describeIssues(parsed.error));
  const { case_id: caseId, prompt, subject, target_new, target: plainTarget, target_true, ground_truth } = parsed.data;
  return makeFact({
    caseId: caseId ?? index,
    prompt,
    subject,
    targetNew: (target_new ?? plainTarget)!,
    targetTrue: target_true ?? ground_truth,
  });
}

/** Checks what can be checked without a model, and puts "{}" where the prompt holds the subject itself. */
export function makeFact({ caseId, prompt, subject, targetNew, targetTrue }: Fact): Fact {
  if (subject.trim() === "") throw new LyaplockError("ERR_FACT", "the subject is empty");
  if (targetNew.trim() === "") throw new LyaplockError("ERR_EMPTY_TARGET", "the target is empty");
  const fact = { caseId, prompt: promptTemplate(prompt, subject), subject, targetNew };
  return targetTrue === undefined ? fact : { ...fact, targetTrue };
}

function promptTemplate(prompt: string, subject: string): string {
  const fail = (what: string) => new LyaplockError("ERR_SUBJECT_NOT_IN_PROMPT", `${what} in the prompt "${prompt}"`);
  const places = occurrences(prompt, PLACE);
  if (places === 1) return prompt;
  if (places > 1) throw fail(`"${PLACE}" stands ${places} times, where the subject can stand once,`);
  const found = occurrences(prompt, subject);
  if (found === 0) throw fail(`neither "${PLACE}" nor the subject "${subject}" is`);
  if (found > 1) throw fail(`the subject "${subject}" stands ${found} times; write "${PLACE}" for the one that counts`);
  return prompt.split(subject).join(PLACE);
}

/** How often `part` stands in `text`, overlaps included: "ana" twice in "banana". */
export function occurrences(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) count++;
  return count;
}
