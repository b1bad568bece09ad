import { z } from "zod";
import { describeIssues } from "../base/json-file.js";
import { LyaplockError } from "../errors.js";
import { makeFact, target } from "./fact.js";
import type { CounterFactRecord } from "./records.js";

/** Of the new target the id is wanted too. */
const targetWithId = z.union([
  z.string().transform((str) => ({ str, id: undefined })),
  z.looseObject({ str: z.string(), id: z.string().nullish() }),
]);

const prompts = z.array(z.string()).default([]);

/** As published: multi-CounterFact and CounterFact (reference, section 12.1). */
const published = z.looseObject({
  case_id: z.int(),
  requested_rewrite: z.looseObject({
    prompt: z.string(),
    subject: z.string(),
    relation_id: z.string().optional(),
    target_new: targetWithId,
    target_true: target,
  }),
  paraphrase_prompts: prompts,
  neighborhood_prompts: prompts,
  attribute_prompts: prompts,
  generation_prompts: prompts,
});

/** The derived 10,000-record file: one paraphrase, one neighbour, the subject written out in the prompt. */
const derived = z.looseObject({
  case_id: z.int(),
  prompt: z.string(),
  subject: z.string(),
  target_new: target,
  ground_truth: target.optional(),
  target_true: target.optional(),
  rephrase_prompt: z.string().optional(),
  locality_prompt: z.string().optional(),
  locality_ground_truth: z.string().optional(),
});

/**
 * A record of either format.
 *
 * @throws ERR_FACT, ERR_SUBJECT_NOT_IN_PROMPT, ERR_EMPTY_TARGET: what is wrong with it, without saying where it stands.
 */
export function parseCounterFactRecord(json: unknown): CounterFactRecord {
  const isPublished = typeof json === "object" && json !== null && "requested_rewrite" in json;
  return isPublished ? fromPublished(parse(published, json)) : fromDerived(parse(derived, json));
}

function fromPublished(record: z.infer<typeof published>): CounterFactRecord {
  const { prompt, subject, relation_id: relationId, target_new, target_true } = record.requested_rewrite;
  const targetNew = target_new.str;
  const fact = makeFact({ caseId: record.case_id, prompt, subject, targetNew, targetTrue: target_true });
  return {
    kind: "counterfact",
    ...fact,
    targetTrue: checkedTrue(target_true),
    ...(relationId === undefined ? {} : { relationId }),
    ...(typeof target_new.id === "string" ? { targetNewId: target_new.id } : {}),
    paraphrasePrompts: record.paraphrase_prompts,
    neighborhoodPrompts: record.neighborhood_prompts,
    attributePrompts: record.attribute_prompts,
    generationPrompts: record.generation_prompts,
  };
}

function fromDerived(record: z.infer<typeof derived>): CounterFactRecord {
  const { case_id: caseId, prompt, subject, target_new: targetNew, rephrase_prompt, locality_prompt } = record;
  const targetTrue = checkedTrue(record.target_true ?? record.ground_truth);
  // The metrics compare the neighbour's answers under the record's own targets.
  if (record.locality_ground_truth !== undefined && record.locality_ground_truth.trim() !== targetTrue.trim()) {
    const what = `locality_ground_truth "${record.locality_ground_truth}" is not the record's true target "${targetTrue}"`;
    throw new LyaplockError("ERR_FACT", what);
  }
  return {
    kind: "counterfact",
    ...makeFact({ caseId, prompt, subject, targetNew }),
    targetTrue,
    paraphrasePrompts: rephrase_prompt === undefined ? [] : [rephrase_prompt],
    neighborhoodPrompts: locality_prompt === undefined ? [] : [locality_prompt],
    attributePrompts: [],
    generationPrompts: [],
  };
}

function checkedTrue(targetTrue: string | undefined): string {
  if (targetTrue === undefined) throw new LyaplockError("ERR_FACT", '"target_true": expected string');
  if (targetTrue.trim() === "") throw new LyaplockError("ERR_EMPTY_TARGET", "the true target is empty");
  return targetTrue;
}

function parse<T>(schema: z.ZodType<T>, json: unknown): T {
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new LyaplockError("ERR_FACT", describeIssues(parsed.error));
  return parsed.data;
}
