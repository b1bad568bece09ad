import { join } from "node:path";
import { contentHash } from "../base/content-hash.js";
import { readJsonFile } from "../base/json-file.js";
import { cachedSecondMoments, readSecondMoments } from "../data/second-moments-files.js";
import { type ContextTemplates, generateContextTemplates, parseContextTemplates } from "../edit/context-templates.js";
import { type Hyperparameters, parseHyperparameters } from "../edit/hyperparameters.js";
import type { EditingMethod } from "../edit/methods/index.js";
import { defaultHyperparameters } from "../edit/published-hyperparameters.js";
import type { SecondMoments } from "../edit/second-moments.js";
import { LyaplockError } from "../errors.js";
import { type BuiltinFiles, type BuiltinModel, builtinFiles } from "../model/builtin.js";
import type { LanguageModel } from "../model/language-model.js";
import { collectionEvents } from "./collection-events.js";
import type { RunEvents } from "./events.js";
import type { MethodName } from "./method.js";

/** Where the inputs of an edit come from, beside the facts; null where the model's own or a default is to be used. */
export interface EditingSources {
  /** "auto": those that tracing suggests, by the known facts of a file or the model's own. */
  layers: number[] | "auto" | null;
  known: string | null;
  hparams: string | null;
  contextTemplates: string | null;
  moments: string | null;
  text: string[] | null;
  seed: number;
}

/** From a file, from the model's own files, or the defaults of its family; those of the method. */
export async function chooseHyperparameters(
  model: Pick<LanguageModel, "name" | "config">,
  sources: Pick<EditingSources, "hparams"> & { layers: number[] | null },
  method: MethodName,
): Promise<Hyperparameters> {
  const file = sources.hparams ?? ownFiles(model)?.hyperparameters;
  const hyperparameters =
    file === undefined
      ? defaultHyperparameters(model.config, method)
      : parseHyperparameters(await readJsonFile(file, "ERR_INVALID_ARGUMENT"), method);
  const layers = sources.layers ?? hyperparameters.layers;
  const beyond = layers.find((layer) => layer >= model.config.layers);
  if (beyond !== undefined) {
    throw new LyaplockError(
      "ERR_INVALID_ARGUMENT",
      `Layer ${beyond} is to be edited, and ${model.name} has layers 0 to ${model.config.layers - 1}. Give others with --layers.`,
    );
  }
  return { ...hyperparameters, layers };
}

/** From a file, from the model's own files, or sampled from the model. */
export async function chooseContextTemplates(
  model: LanguageModel,
  sources: EditingSources,
  { sampleContextTemplates = generateContextTemplates }: EditingMethod,
  signal?: AbortSignal,
): Promise<ContextTemplates> {
  const file = sources.contextTemplates ?? ownFiles(model)?.contextTemplates;
  if (file === undefined) return sampleContextTemplates(model, sources.seed, signal);
  return parseContextTemplates(await readJsonFile(file, "ERR_INVALID_ARGUMENT"));
}

/** Hash of the files that second moments are read or collected from: what they are, before they are there. */
export async function hashSecondMoments(
  model: LanguageModel,
  layers: number[],
  sources: EditingSources,
): Promise<string> {
  const { moments: directory } = sources;
  if (directory === null) return contentHash(textsFor(model, sources));
  return contentHash(layers.map((layer) => join(directory, `layer-${layer}.safetensors`)));
}

/** Second moments of the layers, read, or collected and kept in the cache. */
export async function chooseSecondMoments(
  model: LanguageModel,
  layers: number[],
  sources: EditingSources,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<SecondMoments> {
  if (sources.moments !== null) return readSecondMoments(sources.moments, layers, model.config.feedForwardWidth);
  return cachedSecondMoments(model, textsFor(model, sources), { layers, signal, ...collectionEvents(events) });
}

/** Those that were named, or the model's own. */
export function textsFor(model: LanguageModel, sources: Pick<EditingSources, "text">): string[] {
  const own = ownFiles(model)?.texts;
  const texts = sources.text ?? (own === undefined ? [] : [own]);
  if (texts.length > 0) return texts;
  throw new LyaplockError(
    "ERR_INVALID_ARGUMENT",
    `${model.name} needs second moments, the measure of what it knows already. Give --text FILE… (some thousand lines of ` +
      "ordinary text; they are collected once and kept), or --moments DIR with moments collected before.",
  );
}

/** What comes with a built-in model. */
function ownFiles({ name }: Pick<LanguageModel, "name">): BuiltinFiles | undefined {
  const builtin = "builtin:";
  return name.startsWith(builtin) ? builtinFiles(name.slice(builtin.length) as BuiltinModel) : undefined;
}
