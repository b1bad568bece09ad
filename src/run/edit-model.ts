import { access, constants, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { exists, named } from "../base/files.js";
import { readFacts, type UnreadableFact } from "../data/facts.js";
import type { Fact } from "../data/records.js";
import type { FactCheck } from "../edit/checks.js";
import type { ContextTemplates } from "../edit/context-templates.js";
import type { Hyperparameters } from "../edit/hyperparameters.js";
import type { EditingMethod } from "../edit/methods/index.js";
import type { LayerReport } from "../edit/report.js";
import { SequentialEditor } from "../edit/sequential-editor.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel, SaveType } from "../model/language-model.js";
import type { NativeMatrix } from "../native/addon.js";
import type { LayerSuggestion } from "../trace/index.js";
import { AUTO, chooseLayersByTracing } from "./auto-layers.js";
import { batchLine } from "./batch-line.js";
import { type EditRecord, recordEdits, saveEditedModel } from "./edited-model.js";
import {
  chooseContextTemplates,
  chooseHyperparameters,
  chooseSecondMoments,
  type EditingSources,
} from "./editing-inputs.js";
import type { RunEvents } from "./events.js";
import { chooseExamples, continuations, type Example, exampleOf } from "./examples.js";
import { checkInGroups, isGood, refuseBadFacts, skippedFact } from "./fact-checks.js";
import { chooseMethod, type MethodChoice, methodRecord } from "./method.js";
import { refuseNonEmpty } from "./new-directory.js";
import { type ModelChoice, openModel } from "./open-model.js";
import type { SkippedFact } from "./skipped.js";

/** What `editModel` can be asked; all but the model, the facts and one place to write to have defaults. */
export interface EditOptions extends ModelChoice, Partial<EditingSources> {
  /** A JSON file of facts. */
  facts: string;
  /** The model directory to make. */
  directory?: string | undefined;
  /** A file for what the edits changed, and nothing else. */
  delta?: string | undefined;
  /** Of the edited matrices in the model directory. */
  dtype?: SaveType | undefined;
  batch?: number;
  method?: MethodChoice["method"];
  alpha?: number;
  base?: MethodChoice["base"];
  bound?: MethodChoice["bound"];
  /** Leave out facts that cannot be edited, instead of refusing all. */
  skipBad?: boolean;
}

export interface EditOutcome {
  directory: string | null;
  delta: string | null;
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
  options: EditOptions,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<CheckedFacts> {
  const model = await openModel(options, events, signal);
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
  const places = await checkPlaces(options);
  const model = await openModel(options, events, signal);
  try {
    const { checks, unreadable, hyperparameters, suggestion, method, contextTemplates } = await readAndCheck(
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
    using editor = await SequentialEditor.create(model, {
      method,
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

    const edits = await recordEdits(model, {
      original: { name: model.name, source: model.source, hash: await model.contentHash() },
      method: methodRecord(method),
      hyperparameters,
      ...(suggestion === undefined ? {} : { suggestion }),
      edits: facts.length,
      skipped,
      layers,
    });
    const record = await write(model, editor, edits, places, options.dtype);
    return { ...places, record, examples: shown.facts.map((fact, i) => exampleOf(fact, was[i]!, now[i]!)) };
  } finally {
    model.dispose();
  }
}

/** Where the result goes; null for what was not asked for. */
interface Places {
  directory: string | null;
  delta: string | null;
}

/** All that was asked for, or nothing. */
async function write(
  model: LanguageModel,
  editor: SequentialEditor,
  edits: EditRecord,
  { directory, delta }: Places,
  dtype: SaveType | undefined,
): Promise<EditRecord> {
  if (delta !== null) await writeDelta(model, editor, delta);
  if (directory === null) return edits;
  try {
    return await saveEditedModel(model, directory, edits, dtype);
  } catch (error) {
    if (delta !== null) await rm(delta, { force: true });
    throw error;
  }
}

async function writeDelta(model: LanguageModel, editor: SequentialEditor, file: string): Promise<void> {
  // With as many facts as this the factors, in float64, would be larger than the matrix, and looking for them takes minutes.
  const { width: m, feedForwardWidth: d } = model.config;
  const { edits } = await editor.state();
  const drifts = edits * 2 * (m + d) < m * d ? await editor.drifts() : new Map<number, NativeMatrix>();
  try {
    await model.saveDelta(file, { drifts });
  } finally {
    for (const drift of drifts.values()) drift.dispose();
  }
}

/** What a model becomes by deltas alone, saved. Nothing is written on any failure. */
export async function saveChangedModel(
  { directory: place, dtype, ...source }: ModelChoice & { directory: string; dtype?: SaveType | undefined },
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<{ directory: string }> {
  const directory = resolve(place);
  await refuseNonEmpty(directory);
  const model = await openModel(source, events, signal);
  try {
    await model.save(directory, { dtype });
    return { directory };
  } finally {
    model.dispose();
  }
}

async function readAndCheck(
  model: LanguageModel,
  options: EditOptions,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<
  CheckedFacts & {
    hyperparameters: Hyperparameters;
    suggestion: LayerSuggestion | undefined;
    method: EditingMethod;
    contextTemplates: ContextTemplates;
  }
> {
  const unreadable: SkippedFact[] = [];
  const onUnreadable = ({ index, code, message }: UnreadableFact) =>
    unreadable.push({ caseId: index, problems: [{ code, message }] });
  const facts = await readFacts(options.facts, { signal, onUnreadable });
  const sources = completeSources(options);
  const choice = { ...options, method: options.method ?? "lyaplock" };
  const suggestion =
    sources.layers === AUTO ? await chooseLayersByTracing(model, sources.known, events, signal) : undefined;
  const layers = sources.layers === AUTO ? suggestion!.layers : sources.layers;
  const hyperparameters = await chooseHyperparameters(model, { ...sources, layers }, choice.method);
  const method = chooseMethod(choice, hyperparameters);
  const contextTemplates = await chooseContextTemplates(model, sources, method, signal);
  // One group: in a list that someone wrote by hand, two facts that contradict each other are a mistake wherever they stand.
  const checks = await checkInGroups(model, facts, contextTemplates, facts.length, events, signal);
  return { checks, unreadable, hyperparameters, suggestion, method, contextTemplates };
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
    events.onBatch?.({ ...batchLine(report), values: report.values });
  }
  const finished = await editor.finish();
  return finished.length > 0 ? finished : layers;
}

function completeSources(options: Partial<EditingSources>): EditingSources {
  return {
    layers: options.layers ?? null,
    known: options.known ?? null,
    hparams: options.hparams ?? null,
    contextTemplates: options.contextTemplates ?? null,
    moments: options.moments ?? null,
    text: options.text ?? null,
    seed: options.seed ?? 42,
  };
}

/** Before an hour's work, not after it. */
async function checkPlaces({ directory, delta }: EditOptions): Promise<Places> {
  if (directory === undefined && delta === undefined) {
    throw new LyaplockError(
      "ERR_INVALID_ARGUMENT",
      "an edit needs a place for its result: a directory, or a delta file",
    );
  }
  if (directory !== undefined) await refuseNonEmpty(resolve(directory));
  if (delta !== undefined) await refuseExisting(resolve(delta));
  return {
    directory: directory === undefined ? null : resolve(directory),
    delta: delta === undefined ? null : resolve(delta),
  };
}

async function refuseExisting(file: string): Promise<void> {
  if (await exists(file)) throw new LyaplockError("ERR_FILE", `${file} exists. Name a new file with --delta.`);
  await named("write", file, () => access(dirname(file), constants.W_OK));
}
