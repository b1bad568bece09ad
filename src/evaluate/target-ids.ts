import { withLeadingSpace } from "../edit/prompts.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";

/** The tokens of a target that continues a prompt: those of " " + target, without BOS. @throws ERR_EMPTY_TARGET */
export function targetIds(model: LanguageModel, target: string): number[] {
  const ids = model.tokenizer.encodeTarget(withLeadingSpace(target));
  if (ids.length === 0) throw new LyaplockError("ERR_EMPTY_TARGET", `the target "${target}" has no tokens`);
  return ids;
}
