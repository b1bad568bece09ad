import { mkdir } from "node:fs/promises";
import { named, writeJson } from "../base/files.js";
import { openKnowledge } from "../data/knowledge.js";
import type { KnownFact } from "../data/records.js";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import {
  defaultWindow,
  type SkippedTrace,
  subjectNoise,
  suggestLayers,
  TraceAverages,
  type TraceKind,
  trace,
  traceKinds,
  traceLastSubjectToken,
} from "../trace/index.js";
import type { RunEvents } from "./events.js";
import { JsonLines } from "./json-lines.js";
import { refuseNonEmpty } from "./new-directory.js";
import { type ModelChoice, openModel } from "./open-model.js";
import { TraceDirectory, type TraceSummary } from "./trace-files.js";

export interface TraceModelOptions extends ModelChoice {
  /** A file of known facts, or "atlas". */
  known: string;
  /** A new directory for trace.jsonl and summary.json. Without one nothing is written. */
  out?: string | undefined;
  /** Facts to trace, of those that the model knows. Default: all. */
  facts?: number | undefined;
  kinds?: readonly TraceKind[] | undefined;
  noise?: number | undefined;
  samples?: number | undefined;
  window?: number | undefined;
  seed?: number | undefined;
  /** Trace nothing but the MLPs at the subject's last token, which is all that the layers to edit are chosen by. */
  onlySuggest?: boolean | undefined;
}

/**
 * Traces the known facts of a file, and writes a line for each as it is traced and the averages at the end.
 *
 * @throws ERR_FACT where the model knows none of them; ERR_FILE for a directory that is not empty
 */
export async function traceModel(
  options: TraceModelOptions,
  events: RunEvents = {},
  signal?: AbortSignal,
): Promise<TraceSummary> {
  const directory = options.out === undefined ? undefined : new TraceDirectory(options.out);
  if (directory !== undefined) await refuseNonEmpty(directory.path);
  const dataset = openKnowledge(options.known);
  const skipped = { unknown: 0, unusable: 0 };
  const facts: KnownFact[] = [];
  const onSkip = ({ index, reason }: { index: number; reason: string }) => {
    skipped.unusable++;
    events.onNote?.(`Fact ${index} is left out: ${reason}`);
  };
  for await (const fact of dataset.records({ onSkip, signal })) facts.push(fact);
  if (facts.length === 0) throw new LyaplockError("ERR_DATASET_FORMAT", `${dataset.path} holds no facts`);

  const model = await openModel(options, events, signal);
  try {
    const begun = performance.now();
    const { layers } = model.config;
    const { samples = 10, seed = 1, window = defaultWindow(layers) } = options;
    const noise = options.noise ?? (await subjectNoise(model, facts, { signal }));
    const averages = await traceAll(model, facts, { ...options, samples, seed, window, noise }, skipped, {
      ...{ directory, events, signal },
    });
    const average = averages.result();
    const summary: TraceSummary = {
      model: { name: model.name, hash: await model.computedHash() },
      known: { file: dataset.path, hash: await dataset.contentHash() },
      ...{ samples, seed, noise, window, layers, skipped, average },
      suggestion: suggestLayers(average) ?? null,
      seconds: (performance.now() - begun) / 1000,
    };
    if (directory !== undefined) await writeJson(directory.summary, summary);
    return summary;
  } finally {
    model.dispose();
  }
}

async function traceAll(
  model: LanguageModel,
  facts: readonly KnownFact[],
  options: TraceModelOptions,
  skipped: TraceSummary["skipped"],
  {
    directory,
    events,
    signal,
  }: { directory: TraceDirectory | undefined; events: RunEvents; signal: AbortSignal | undefined },
): Promise<TraceAverages> {
  const averages = new TraceAverages();
  const { facts: limit, noise, samples, seed, window, onlySuggest = false } = options;
  const kinds = onlySuggest ? (["mlp"] as const) : (options.kinds ?? traceKinds);
  const onSkip = ({ reason, fact, message }: SkippedTrace) => {
    skipped[reason]++;
    if (reason === "unusable") events.onNote?.(`Fact ${fact.knownId} is left out: ${message}`);
  };
  const traced = (onlySuggest ? traceLastSubjectToken : trace)(model, facts, {
    ...{ kinds, limit, noise, samples, seed, window, onSkip, signal },
  });
  let lines: JsonLines | undefined;
  let done = 0;
  try {
    for await (const fact of traced) {
      if (directory !== undefined) {
        lines ??= await openLines(directory);
        await lines.append([fact]);
      }
      if (onlySuggest) averages.addLastSubjectToken(fact);
      else averages.add(fact);
      const detail = `${skipped.unknown + skipped.unusable} of ${facts.length} facts skipped`;
      events.onProgress?.({ stage: "tracing", detail, done: ++done, of: limit, unit: "facts" });
    }
  } finally {
    await lines?.close();
  }
  if (done > 0) return averages;
  throw new LyaplockError(
    "ERR_FACT",
    `${model.name} knows none of the ${facts.length} facts: its most probable next token is never the attribute. ` +
      "Name a file of facts that it knows, whose attributes are one token each.",
  );
}

/** Made with the first line: what fails before leaves nothing behind. */
async function openLines({ path, facts }: TraceDirectory): Promise<JsonLines> {
  await named("make", path, () => mkdir(path, { recursive: true }));
  return JsonLines.open(facts, 0);
}
