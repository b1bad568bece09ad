import { readdir } from "node:fs/promises";
import { resolve } from "node:path";
import { fileError } from "../base/file-error.js";
import { readFacts, type UnreadableFact } from "../data/facts.js";
import type { Fact } from "../data/records.js";
import type { FactCheck } from "../edit/checks.js";
import type { ContextTemplates } from "../edit/context-templates.js";
import type { Hyperparameters } from "../edit/hyperparameters.js";
import { methods } from "../edit/methods/index.js";
import type { LayerReport } from "../edit/report.js";
import { SequentialEditor } from "../edit/sequential-editor.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { loadModel } from "../model/load.js";
import { type EditRecord, saveEditedModel } from "./edited-model.js";
import {
  chooseAlpha,
  chooseContextTemplates,
  chooseHyperparameters,
  chooseSecondMoments,
  type EditingSources,
} from "./editing-inputs.js";
import type { RunEvents } from "./events.js";
import { chooseExamples, continuations, type Example, exampleOf } from "./examples.js";
import { checkInGroups, isGood, refuseBadFacts, skippedFact } from "./fact-checks.js";
import type { SkippedFact } from "./skipped.js";

/** What `editModel` can be asked; all but the first three have defaults. */
export interface EditOptions extends Partial<EditingSources> {
  model: string;
  /** A JSON file of facts. */
  facts: string;
  /** The model directory to make. */
  directory: string;
  batch?: number;
  alpha?: number;
  /** Leave out facts that cannot be edited, instead of refusing all. */
  skipBad?: boolean;
}

export interface EditOutcome {
  directory: string;
  record: EditRecord;
  examples: Example[];
}

/** What is known of a file of facts before the first edit. */
export interface CheckedFacts {
  checks: FactCheck[];
  /** Facts too bad to be looked at further. */
  unreadable: SkippedFact[];
}

/** Says of every fact in the file how it would be edited, and what is wrong with it. Changes nothing. */
export async function checkEdit(
  options: Omit<EditOptions, "directory">,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<CheckedFacts> {
  const model = await loadModel(options.model, { signal });
  try {
    const { checks, unreadable } = await readAndCheck(model, options, events, signal);
    return { checks, unreadable };
  } finally {
    model.dispose();
  }
}

/** Edits the facts of a file and saves the edited model; on any failure nothing is written. */
export async function editModel(
  options: EditOptions,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<EditOutcome> {
  const directory = resolve(options.directory);
  await refuseNonEmpty(directory);
  const model = await loadModel(options.model, { signal });
  try {
    const { checks, unreadable, hyperparameters, contextTemplates } = await readAndCheck(
      model,
      options,
      events,
      signal,
    );
    const facts = checks.filter(isGood).map(({ fact }) => fact);
    const skipped = [...unreadable, ...checks.filter((check) => !isGood(check)).map(skippedFact)];
    refuseBadFacts(skipped, facts.length, options.skipBad ?? false);

    const sources = completeSources(options);
    const moments = await chooseSecondMoments(model, hyperparameters.layers, sources, events, signal);
    const alpha = chooseAlpha(options.alpha, hyperparameters);
    using editor = await SequentialEditor.create(model, {
      method: methods.lyaplock({ alpha }),
      moments,
      hyperparameters,
      contextTemplates,
      seed: sources.seed,
      signal,
    });
    moments.dispose(); // the editor has factored them
    const shown = chooseExamples(facts);
    const was = await continuations(model, shown, signal);
    const layers = await editAll(editor, facts, options.batch ?? 100, events, signal);
    const now = await continuations(model, shown, signal);

    const record = await saveEditedModel(model, directory, {
      original: { name: model.name, hash: await model.contentHash() },
      method: { name: "lyaplock", alpha },
      hyperparameters,
      edits: facts.length,
      skipped,
      layers,
    });
    return { directory, record, examples: shown.map((fact, i) => exampleOf(fact, was[i]!, now[i]!)) };
  } finally {
    model.dispose();
  }
}

async function readAndCheck(
  model: LanguageModel,
  options: Omit<EditOptions, "directory">,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<CheckedFacts & { hyperparameters: Hyperparameters; contextTemplates: ContextTemplates }> {
  const unreadable: SkippedFact[] = [];
  const onUnreadable = ({ index, code, message }: UnreadableFact) =>
    unreadable.push({ caseId: index, problems: [{ code, message }] });
  const facts = await readFacts(options.facts, { signal, onUnreadable });
  const sources = completeSources(options);
  const hyperparameters = await chooseHyperparameters(model, sources);
  const contextTemplates = await chooseContextTemplates(model, sources, signal);
  // One group: in a list that someone wrote by hand, two facts that contradict each other are a mistake wherever they stand.
  const checks = await checkInGroups(model, facts, contextTemplates, facts.length, events, signal);
  return { checks, unreadable, hyperparameters, contextTemplates };
}

async function editAll(
  editor: SequentialEditor,
  facts: readonly Fact[],
  batchSize: number,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<LayerReport[]> {
  let layers: LayerReport[] = [];
  let done = 0;
  const tell = (detail: string, so: number) =>
    events.onProgress?.({ stage: "editing", detail, done: so, of: facts.length, unit: "facts" });
  const onProgress = (step: { phase: string; facts: number }) =>
    tell(step.phase, step.phase === "values" ? done + step.facts : done);
  for await (const report of editor.edit(facts, { batchSize, signal, onProgress })) {
    done = report.edits;
    layers = report.layers;
    tell(`batch ${report.batch}`, done);
    events.onBatch?.(report);
  }
  return layers;
}

function completeSources(options: Partial<EditingSources>): EditingSources {
  return {
    layers: options.layers ?? null,
    hparams: options.hparams ?? null,
    contextTemplates: options.contextTemplates ?? null,
    moments: options.moments ?? null,
    text: options.text ?? null,
    seed: options.seed ?? 42,
  };
}

/** Before an hour's work, not after it. */
async function refuseNonEmpty(directory: string): Promise<void> {
  try {
    if ((await readdir(directory)).length === 0) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw fileError("write to", directory, error);
  }
  throw new LyaplockError("ERR_FILE", `${directory} exists and is not empty. Name a new directory with --out.`);
}
