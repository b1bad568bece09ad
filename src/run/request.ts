import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { ATLAS_KNOWLEDGE } from "../data/knowledge.js";
import type { LyapLockOptions } from "../edit/methods/index.js";
import { LyaplockError } from "../errors.js";
import { parseHubName } from "../model/hub-name.js";
import type { SaveType } from "../model/language-model.js";
import { isNamedModel } from "../model/named-models.js";
import type { WeightType } from "../native/addon.js";
import type { CaseStudyOptions } from "./examples.js";
import type { MethodName } from "./method.js";

/** What a run can be asked. What is left out takes its default, or on resuming what the run was asked at first. */
export interface ExperimentOptions {
  /** The run directory. */
  directory: string;
  /** Go on with an interrupted run; where there is none, begin one. */
  resume?: boolean;
  /** "builtin:atlas", a model directory, or "org/name" on the hub. */
  model?: string;
  /** Files of deltas to put on the model, and to take off it before. */
  applyDelta?: string[];
  removeDelta?: string[];
  /** How the model's weights are held. Default "f32". */
  weights?: WeightType;
  /** "atlas", "counterfact:FILE" or "zsre:FILE". */
  dataset?: string;
  method?: MethodName;
  /** The first records of the dataset to edit; all of them if left out. */
  edits?: number;
  /** Records to leave out before those. Default 0. */
  offset?: number;
  /** Take the records in an order drawn with the seed, in place of the file's. */
  shuffle?: boolean;
  /** Facts per batch. The preservation threshold is α times the loss after the first batch, so this matters. */
  batch?: number;
  /** Of LyapLock: α, a method to combine it with, and what of the loss is bounded. */
  alpha?: number;
  base?: LyapLockOptions["base"];
  bound?: LyapLockOptions["bound"];
  seed?: number;
  /** Edited layers, in place of those in the hyperparameters. */
  layers?: number[] | "auto";
  /** Known facts that "auto" traces, a file; the model's own if left out. */
  known?: string;
  /** A file of hyperparameters in the reference's names. */
  hparams?: string;
  /** A file of context templates. */
  contextTemplates?: string;
  /** A directory of second moments, layer-<i>.safetensors. */
  moments?: string;
  /** Text files to collect second moments from, where no directory of them is given. */
  text?: string[];
  /** Evaluate the unedited model too. */
  metricsBefore?: boolean;
  /** Generate text from the records that have prompts for it, and measure its fluency. Takes long. */
  fluency?: boolean;
  /** A directory of reference texts, which generated ones are compared with; measures fluency too. */
  consistency?: string;
  /** Score ZsRE with the accidents of the published code (reference, Q6 and Q7). */
  publishedZsre?: boolean;
  /** Leave out facts that cannot be edited, instead of refusing the run. */
  skipBad?: boolean;
  /** Of the edited matrices in the saved model. */
  dtype?: SaveType;
  /** A directory with the files of the six GLUE tasks, put to the model during the run. */
  glue?: string;
  /** Take RTE's labels the wrong way round, as the published results do (Q8). */
  publishedRteLabels?: boolean;
  /** A text file whose perplexity is measured whenever GLUE is. */
  perplexity?: string;
  /** "atlas" or a file of known facts that nobody edits: how many the model still knows is measured whenever GLUE is. */
  knowledge?: string;
  /** These are measured before the first edit, whenever so many more edits are made, and after the last. Default 1000. */
  glueEvery?: number;
  /** Metrics of all facts edited so far, whenever so many more edits are made. */
  evalEvery?: number;
  /** Keep longer texts of chosen facts, by the unedited model and by the edited one. */
  caseStudy?: CaseStudyOptions;
}

/** What concerns one session of a run, and not what comes out of it: run.json does not have it. */
export interface SessionOptions {
  /**
   * Measure after every batch how many of the first hundred facts the model still recalls; otherwise that is done where `evalEvery`
   * has all facts measured.
   */
  watched?: boolean | undefined;
  /** End with ERR_COLLAPSE after a batch that raises an alarm of collapse. Does what `watched` does too. */
  stopOnCollapse?: boolean | undefined;
}

/** The options of a run with nothing left open; kept in run.json. */
export interface RunRequest {
  model: string;
  applyDelta: string[] | null;
  removeDelta: string[] | null;
  weights: WeightType;
  dataset: string;
  method: MethodName;
  /** null: all records. */
  edits: number | null;
  offset: number;
  shuffle: boolean;
  batch: number;
  /** null: what the hyperparameters say, or 60. */
  alpha: number | null;
  base: LyapLockOptions["base"] | null;
  bound: LyapLockOptions["bound"] | null;
  seed: number;
  layers: number[] | "auto" | null;
  known: string | null;
  hparams: string | null;
  contextTemplates: string | null;
  moments: string | null;
  text: string[] | null;
  metricsBefore: boolean;
  fluency: boolean;
  consistency: string | null;
  publishedZsre: boolean;
  skipBad: boolean;
  dtype: SaveType;
  glue: string | null;
  publishedRteLabels: boolean;
  perplexity: string | null;
  knowledge: string | null;
  glueEvery: number;
  /** null: only after the last edit. */
  evalEvery: number | null;
  caseStudy: CaseStudyOptions | null;
}

const defaults = {
  applyDelta: null,
  removeDelta: null,
  weights: "f32",
  method: "lyaplock",
  edits: null,
  offset: 0,
  shuffle: false,
  batch: 100,
  alpha: null,
  base: null,
  bound: null,
  seed: 42,
  layers: null,
  known: null,
  hparams: null,
  contextTemplates: null,
  moments: null,
  text: null,
  metricsBefore: false,
  fluency: false,
  consistency: null,
  publishedZsre: false,
  skipBad: false,
  dtype: "as-is",
  glue: null,
  publishedRteLabels: false,
  perplexity: null,
  knowledge: null,
  glueEvery: 1000,
  evalEvery: null,
  caseStudy: null,
} as const;

/** Options that say where content is found. Content may move between sessions: it is compared by hash, not by place. */
const places = [
  "model",
  "applyDelta",
  "removeDelta",
  "dataset",
  "hparams",
  "contextTemplates",
  "moments",
  "text",
  "glue",
  "perplexity",
  "knowledge",
  "known",
  "consistency",
] as const;

/** Completes the options of a new run. */
export function completeRequest(options: ExperimentOptions): RunRequest {
  const { model, dataset } = options;
  if (model === undefined) throw missing("a model", "--model builtin:atlas");
  if (dataset === undefined)
    throw missing("a dataset", "--dataset atlas, --dataset counterfact:FILE or --dataset zsre:FILE");
  return { ...defaults, ...given({ ...options, model, dataset }) } as RunRequest;
}

/** Completes the options of a resumed run from what it was asked at first. ERR_RUN_DIRECTORY names those that differ. */
export function completeFromRecord(options: ExperimentOptions, recorded: RunRequest): RunRequest {
  const now = given(options);
  refuseDifferences(
    (Object.keys(now) as (keyof RunRequest)[])
      .filter((name) => !(places as readonly string[]).includes(name))
      .map((name) => ({ name: flag(name), recorded: recorded[name], now: now[name] })),
  );
  // A run that was begun by an earlier version knows nothing of later options.
  return { ...defaults, ...recorded, ...now };
}

/**
 * The options of `lyaplock run` that ask for this again; what is left out has its default. Cases that were chosen for a case
 * study, and how their texts are drawn, can only be said in a file of `--config`.
 */
export function requestOptions(request: RunRequest): string[] {
  const options = ["--model", request.model, "--dataset", request.dataset, "--method", request.method];
  for (const [name, usual] of Object.entries(defaults)) {
    const value = request[name as keyof typeof defaults];
    if (name === "method" || value === undefined || value === null || value === usual) continue;
    if (value === true) options.push(flag(name));
    else if (name === "layers") options.push(flag(name), String(value));
    else if (Array.isArray(value)) options.push(flag(name), ...value.map(String));
    else if (typeof value !== "object") options.push(flag(name), String(value));
    else if (typeof value.cases === "number") options.push(flag(name), String(value.cases));
  }
  return options;
}

export interface Difference {
  name: string;
  recorded: unknown;
  now: unknown;
}

/** Throws if any pair differs, naming each. */
export function refuseDifferences(pairs: Difference[]): void {
  const differing = pairs.filter(({ recorded, now }) => JSON.stringify(recorded) !== JSON.stringify(now));
  if (differing.length === 0) return;
  const list = differing.map(({ name, recorded, now }) => `${name}: ${show(recorded)} then, ${show(now)} now`);
  throw new LyaplockError(
    "ERR_RUN_DIRECTORY",
    `This run was begun with other options, and would not be one experiment.\n  ${list.join("\n  ")}\n` +
      "Resume it with the options it was begun with (leave them out: they are in run.json), choose another directory, or remove this one.",
  );
}

function show(value: unknown): string {
  if (value === null || value === undefined) return "not given";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** batch → --batch, metricsBefore → --metrics-before. */
function flag(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The options that were given, places made absolute so that a run can be resumed from anywhere. */
function given(options: ExperimentOptions): Partial<RunRequest> {
  const { directory: _directory, resume: _resume, ...rest } = options;
  const set = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as typeof rest;
  return absolutePlaces(set, ".");
}

/** Makes every place absolute, those that are relative being so to `base`. */
export function absolutePlaces<T extends Partial<ExperimentOptions>>(options: T, base: string): T {
  const file = (path: string) => resolve(base, path);
  return {
    ...options,
    ...(options.model !== undefined && { model: absoluteModel(options.model, base) }),
    ...(options.applyDelta !== undefined && { applyDelta: options.applyDelta.map(file) }),
    ...(options.removeDelta !== undefined && { removeDelta: options.removeDelta.map(file) }),
    ...(options.dataset !== undefined && { dataset: absoluteDataset(options.dataset, base) }),
    ...(options.hparams !== undefined && { hparams: file(options.hparams) }),
    ...(options.contextTemplates !== undefined && { contextTemplates: file(options.contextTemplates) }),
    ...(options.moments !== undefined && { moments: file(options.moments) }),
    ...(options.text !== undefined && { text: options.text.map(file) }),
    ...(options.glue !== undefined && { glue: file(options.glue) }),
    ...(options.perplexity !== undefined && { perplexity: file(options.perplexity) }),
    ...(options.knowledge !== undefined && {
      knowledge: options.knowledge === ATLAS_KNOWLEDGE ? ATLAS_KNOWLEDGE : file(options.knowledge),
    }),
    ...(options.known !== undefined && {
      known: options.known === ATLAS_KNOWLEDGE ? ATLAS_KNOWLEDGE : file(options.known),
    }),
    ...(options.consistency !== undefined && { consistency: file(options.consistency) }),
  };
}

function absoluteModel(source: string, base: string): string {
  const path = resolve(base, source);
  const isOnHub = parseHubName(source) !== undefined && !existsSync(path);
  return source.startsWith("builtin:") || isNamedModel(source) || isOnHub ? source : path;
}

function absoluteDataset(spec: string, base: string): string {
  const colon = spec.indexOf(":");
  return colon < 0 ? spec : `${spec.slice(0, colon + 1)}${resolve(base, spec.slice(colon + 1))}`;
}

function missing(what: string, example: string): LyaplockError {
  return new LyaplockError("ERR_INVALID_ARGUMENT", `A run needs ${what}: ${example}.`);
}
