import { ATLAS_KNOWLEDGE, openKnowledge } from "../data/knowledge.js";
import type { KnownFact } from "../data/records.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { type LayerSuggestion, suggestLayers, TraceAverages, traceLastSubjectToken } from "../trace/index.js";
import type { RunEvents } from "./events.js";

/** In place of layers: those that tracing suggests. */
export const AUTO = "auto";

/** Facts that are traced to choose layers. Their effects differ more by layer than from fact to fact. */
const FACTS = 20;

/**
 * Chooses the layers to edit by tracing some facts that the model knows.
 *
 * @param known - A file of known facts; null for those that come with the model.
 * @throws ERR_INVALID_ARGUMENT where there are none; ERR_FACT where they give no evidence
 */
export async function chooseLayersByTracing(
  model: LanguageModel,
  known: string | null,
  events: RunEvents,
  signal: AbortSignal | undefined,
): Promise<LayerSuggestion> {
  const place = known ?? (model.name === `builtin:${ATLAS_KNOWLEDGE}` ? ATLAS_KNOWLEDGE : undefined);
  if (place === undefined) {
    const advice = "Give --known FILE (known_id, prompt, subject, attribute), or the layers themselves.";
    throw new LyaplockError("ERR_INVALID_ARGUMENT", `--layers auto traces facts that ${model.name} knows. ${advice}`);
  }
  const facts: KnownFact[] = [];
  for await (const fact of openKnowledge(place).records({ signal })) facts.push(fact);
  const averages = new TraceAverages();
  let done = 0;
  for await (const fact of traceLastSubjectToken(model, facts, { kinds: ["mlp"], limit: FACTS, signal })) {
    averages.addLastSubjectToken(fact);
    events.onProgress?.({ stage: "layers", done: ++done, of: FACTS, unit: "facts" });
  }
  const suggestion = done === 0 ? undefined : suggestLayers(averages.result());
  if (suggestion === undefined) {
    const what = `the ${done} facts of ${place} that ${model.name} knows do not show which layers hold them`;
    throw new LyaplockError("ERR_FACT", `${what}. Give more of them with --known FILE, or the layers themselves.`);
  }
  events.onNote?.(`Layers ${suggestion.layers.join(", ")} were chosen by tracing ${done} facts.`);
  return suggestion;
}
