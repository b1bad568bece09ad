import { z } from "zod";
import { readJsonFile } from "../base/json-file.js";
import type { ContextTemplates } from "../edit/context-templates.js";
import type { Hyperparameters } from "../edit/hyperparameters.js";
import { LyaplockError } from "../errors.js";
import type { LayerSuggestion } from "../trace/index.js";
import type { MethodRecord } from "./method.js";
import { type RunRequest, refuseDifferences } from "./request.js";
import type { SkippedFact } from "./skipped.js";

/** Content of run.json. */
export interface RunRecord {
  /** The options, as completed. */
  asked: RunRequest;
  model: { name: string; hash: string };
  dataset: { name: string; hash: string; facts: number };
  method: MethodRecord;
  hyperparameters: Hyperparameters;
  /** As read, or as sampled when the run was begun: a resumed run goes on with them. */
  contextTemplates: ContextTemplates;
  /** Hash of the texts, or of the files of second moments. */
  secondMoments: string;
  /** What "auto" chose the layers by. */
  suggestion?: LayerSuggestion;
  /** Hashes of what is measured during the run; null for what is not. */
  glue: string | null;
  perplexity: string | null;
  knowledge: string | null;
  /** Hash of the reference texts, where generated ones are compared with some. */
  references?: string;
  seed: number;
  /** Facts left out, and why. */
  skipped: SkippedFact[];
  environment: Environment;
}

/** Where the run was begun. Another machine computes the same up to rounding: a difference is told, not refused. */
export interface Environment {
  lyaplock: string;
  node: string;
  device: "cpu" | "cuda";
  backend: string;
  threads: number;
}

const recordSchema = z.object({
  asked: z.object({ model: z.string(), dataset: z.string(), batch: z.number() }).loose(),
  model: z.object({ name: z.string(), hash: z.string() }),
  dataset: z.object({ name: z.string(), hash: z.string(), facts: z.number() }),
  contextTemplates: z.array(z.array(z.string())),
  environment: z.object({ lyaplock: z.string() }).loose(),
});

export async function readRunRecord(path: string): Promise<RunRecord> {
  const value = await readJsonFile(path, "ERR_RUN_DIRECTORY");
  const { success, error } = recordSchema.safeParse(value);
  if (success) return value as RunRecord;
  throw new LyaplockError("ERR_RUN_DIRECTORY", `${path} is not the record of a run. Choose another directory.`, {
    cause: error,
  });
}

/** Refuses to go on with other content than the run was begun with. */
export function refuseOtherContent(recorded: RunRecord, now: RunRecord): void {
  refuseDifferences([
    { name: "content of --model", recorded: recorded.model.hash, now: now.model.hash },
    { name: "content of --dataset", recorded: recorded.dataset.hash, now: now.dataset.hash },
    { name: "facts that pass the checks", recorded: recorded.dataset.facts, now: now.dataset.facts },
    { name: "method", recorded: recorded.method, now: now.method },
    { name: "hyperparameters", recorded: recorded.hyperparameters, now: now.hyperparameters },
    { name: "context templates", recorded: recorded.contextTemplates, now: now.contextTemplates },
    { name: "content of --consistency", recorded: recorded.references, now: now.references },
    { name: "content of --moments or --text", recorded: recorded.secondMoments, now: now.secondMoments },
    { name: "content of --glue", recorded: recorded.glue, now: now.glue },
    { name: "content of --perplexity", recorded: recorded.perplexity, now: now.perplexity },
    { name: "content of --knowledge", recorded: recorded.knowledge, now: now.knowledge },
  ]);
}

/** What differs between the machines of two sessions, in words; undefined if nothing does. */
export function environmentChange(recorded: Environment, now: Environment): string | undefined {
  const names = Object.keys(now) as (keyof Environment)[];
  const changes = names
    .filter((name) => recorded[name] !== now[name])
    .map((name) => `${name}: ${recorded[name]} then, ${now[name]} now`);
  if (changes.length === 0) return undefined;
  return `The run goes on under other conditions (${changes.join("; ")}): results can differ in their last digits.`;
}
