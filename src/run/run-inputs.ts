import { readFile } from "node:fs/promises";
import { contentHash } from "../base/content-hash.js";
import { named } from "../base/files.js";
import { type Dataset, openDataset } from "../data/datasets.js";
import { type GlueTests, glueHash, readGlue } from "../data/glue.js";
import { knowledgeHash, readKnowledge } from "../data/knowledge.js";
import type { DatasetRecord, KnownFact } from "../data/records.js";
import { hashReferenceTexts, readReferenceTexts } from "../data/reference-texts.js";
import type { ContextTemplates } from "../edit/context-templates.js";
import { SequentialEditor } from "../edit/sequential-editor.js";
import type { EvaluationMeasures } from "../evaluate/index.js";
import type { LanguageModel } from "../model/language-model.js";
import { AUTO, chooseLayersByTracing } from "./auto-layers.js";
import {
  chooseContextTemplates,
  chooseHyperparameters,
  chooseSecondMoments,
  hashSecondMoments,
} from "./editing-inputs.js";
import { currentEnvironment } from "./environment.js";
import type { RunEvents } from "./events.js";
import { chooseCaseStudy, type ExampleSet } from "./examples.js";
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
  records: DatasetRecord[];
  measured: MeasuredTexts;
  /** Null unless asked for. */
  caseStudy: ExampleSet | null;
  /** What they are evaluated on. */
  measures: EvaluationMeasures;
  record: RunRecord;
  dispose(): void;
}

/** What is put to the model during a run; null for what is not. */
export interface MeasuredTexts {
  glue: GlueTests | null;
  /** A text for perplexity. */
  text: string | null;
  /** Facts that are not edited. */
  knowledge: KnownFact[] | null;
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
  const measured = await readMeasured(request, signal);
  const model = await openModel(request, events, signal);
  try {
    // A resumed run goes on with what was chosen.
    const suggestion =
      request.layers === AUTO
        ? (recorded?.suggestion ?? (await chooseLayersByTracing(model, request.known, events, signal)))
        : undefined;
    const layers = request.layers === AUTO ? suggestion!.layers : request.layers;
    const hyperparameters = await chooseHyperparameters(model, { ...request, layers }, request.method);
    const method = chooseMethod(request, hyperparameters);
    const contextTemplates =
      recorded !== undefined && request.contextTemplates === null
        ? recorded.contextTemplates
        : await chooseContextTemplates(model, request, method, signal);

    const { records, skipped, read } = await readRecords(model, dataset, request, contextTemplates, events, signal);
    refuseBadFacts(skipped, records.length, request.skipBad);
    if (request.edits !== null && read < request.edits) {
      events.onNote?.(`The dataset has ${read} records, fewer than the ${request.edits} that --edits asks for.`);
    }

    const caseStudy = request.caseStudy === null ? null : chooseCaseStudy(records, request.caseStudy, request.seed);

    const record: RunRecord = {
      asked: { ...request, model: model.source },
      model: { name: model.name, hash: await model.contentHash() },
      dataset: { name: dataset.name, hash: await dataset.contentHash(), facts: records.length },
      method: methodRecord(method),
      hyperparameters,
      contextTemplates,
      ...(request.consistency === null ? {} : { references: await hashReferenceTexts(request.consistency) }),
      ...(suggestion === undefined ? {} : { suggestion }),
      secondMoments: await hashSecondMoments(model, hyperparameters.layers, request),
      glue: request.glue === null ? null : await glueHash(request.glue),
      perplexity: request.perplexity === null ? null : await contentHash([request.perplexity]),
      knowledge: request.knowledge === null ? null : await knowledgeHash(request.knowledge),
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
    const measures = await chooseMeasures(request, signal);
    return { model, editor, records, measured, caseStudy, measures, record, dispose };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

async function readMeasured({ glue, perplexity, knowledge }: RunRequest, signal?: AbortSignal): Promise<MeasuredTexts> {
  return {
    glue: glue === null ? null : await readGlue(glue, { signal }),
    text: perplexity === null ? null : await named("read", perplexity, () => readFile(perplexity, "utf8")),
    knowledge: knowledge === null ? null : await readKnowledge(knowledge, signal),
  };
}

/** What a run or an evaluation is asked to measure beyond what every record is asked. */
export async function chooseMeasures(
  { fluency, consistency, publishedZsre }: Pick<RunRequest, "fluency" | "consistency" | "publishedZsre">,
  signal?: AbortSignal,
): Promise<EvaluationMeasures> {
  return {
    fluency,
    references: consistency === null ? undefined : await readReferenceTexts(consistency, { signal }),
    compatibility: { doubleSpace: publishedZsre, bosInAnswers: publishedZsre },
  };
}

/** The records of the dataset that are to be edited, those that cannot be edited apart. */
async function readRecords(
  model: LanguageModel,
  dataset: Dataset,
  request: RunRequest,
  contextTemplates: ContextTemplates,
  events: RunEvents,
  signal?: AbortSignal,
): Promise<{ records: DatasetRecord[]; skipped: SkippedFact[]; read: number }> {
  const skipped: SkippedFact[] = [];
  const onSkip = ({ index, reason }: { index: number; reason: string }) =>
    skipped.push({ caseId: index, problems: [{ code: "ERR_DATASET_FORMAT", message: `record ${index}: ${reason}` }] });
  const all: DatasetRecord[] = [];
  const { edits, offset, shuffle, seed } = request;
  const part = { offset, limit: edits ?? undefined, shuffle: shuffle ? seed : undefined };
  for await (const record of dataset.records({ ...part, onSkip, signal })) all.push(record);

  const checks = await checkInGroups(model, all, contextTemplates, request.batch, events, signal);
  skipped.push(...checks.filter((check) => !isGood(check)).map(skippedFact));
  return { records: all.filter((_, index) => isGood(checks[index]!)), skipped, read: all.length };
}
