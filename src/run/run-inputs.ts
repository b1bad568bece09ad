import { type Dataset, openDataset } from "../data/datasets.js";
import type { CounterFactRecord } from "../data/records.js";
import type { ContextTemplates } from "../edit/context-templates.js";
import { SequentialEditor } from "../edit/sequential-editor.js";
import type { LanguageModel } from "../model/language-model.js";
import {
  chooseContextTemplates,
  chooseHyperparameters,
  chooseSecondMoments,
  hashSecondMoments,
} from "./editing-inputs.js";
import { currentEnvironment } from "./environment.js";
import type { RunEvents } from "./events.js";
import { checkInGroups, isGood, refuseBadFacts, skippedFact } from "./fact-checks.js";
import { chooseMethod, methodRecord } from "./method.js";
import { openModel } from "./open-model.js";
import type { RunRequest } from "./request.js";
import { type RunRecord, refuseOtherContent } from "./run-record.js";
import type { Stopwatch } from "./seconds.js";
import type { SkippedFact } from "./skipped.js";

/** Everything a run works on, read and checked. Making it writes nothing but the cache of second moments. */
export interface RunInputs {
  model: LanguageModel;
  /** Fresh. */
  editor: SequentialEditor;
  /** The records to edit, in order. */
  records: CounterFactRecord[];
  record: RunRecord;
  dispose(): void;
}

/**
 * @param recorded - What an earlier session of the run has recorded, if there was one.
 * @throws ERR_RUN_DIRECTORY if the content of any input has changed since.
 */
export async function prepareRun(
  request: RunRequest,
  recorded: RunRecord | undefined,
  stopwatch: Stopwatch,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<RunInputs> {
  const dataset = openDataset(request.dataset);
  const model = await openModel(request, events, signal);
  try {
    const hyperparameters = await chooseHyperparameters(model, request, request.method);
    const method = chooseMethod(request, hyperparameters);
    const contextTemplates =
      recorded !== undefined && request.contextTemplates === null
        ? recorded.contextTemplates
        : await chooseContextTemplates(model, request, signal);

    const { records, skipped, read } = await readRecords(model, dataset, request, contextTemplates, events, signal);
    refuseBadFacts(skipped, records.length, request.skipBad);
    if (request.edits !== null && read < request.edits) {
      events.onNote?.(`The dataset has ${read} records, fewer than the ${request.edits} that --edits asks for.`);
    }

    const record: RunRecord = {
      asked: { ...request, model: model.source },
      model: { name: model.name, hash: await model.contentHash() },
      dataset: { name: dataset.name, hash: await dataset.contentHash(), facts: records.length },
      method: methodRecord(method),
      hyperparameters,
      contextTemplates,
      secondMoments: await hashSecondMoments(model, hyperparameters.layers, request),
      seed: request.seed,
      skipped,
      environment: await currentEnvironment(),
    };
    // Before the moments, which can take long.
    if (recorded !== undefined) refuseOtherContent(recorded, record);

    const moments = await stopwatch.time("moments", () =>
      chooseSecondMoments(model, hyperparameters.layers, request, events, signal),
    );
    const editor = await SequentialEditor.create(model, {
      method,
      moments,
      hyperparameters,
      contextTemplates,
      seed: request.seed,
      signal,
    });
    moments.dispose(); // the editor has factored them
    const dispose = () => {
      editor.dispose();
      model.dispose();
    };
    return { model, editor, records, record, dispose };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** The first records of the dataset, those that cannot be edited apart. */
async function readRecords(
  model: LanguageModel,
  dataset: Dataset,
  request: RunRequest,
  contextTemplates: ContextTemplates,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<{ records: CounterFactRecord[]; skipped: SkippedFact[]; read: number }> {
  const skipped: SkippedFact[] = [];
  const onSkip = ({ index, reason }: { index: number; reason: string }) =>
    skipped.push({ caseId: index, problems: [{ code: "ERR_DATASET_FORMAT", message: `record ${index}: ${reason}` }] });
  const all: CounterFactRecord[] = [];
  for await (const record of dataset.records({ limit: request.edits ?? undefined, onSkip, signal })) all.push(record);

  const checks = await checkInGroups(model, all, contextTemplates, request.batch, events, signal);
  skipped.push(...checks.filter((check) => !isGood(check)).map(skippedFact));
  return { records: all.filter((_, index) => isGood(checks[index]!)), skipped, read: all.length };
}
