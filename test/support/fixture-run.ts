import type { Fact } from "../../src/data/records.js";
import { readSecondMoments } from "../../src/data/second-moments-files.js";
import { type ContextTemplates, parseContextTemplates } from "../../src/edit/context-templates.js";
import { type Hyperparameters, parseHyperparameters } from "../../src/edit/hyperparameters.js";
import { type EditingMethod, methods } from "../../src/edit/methods/index.js";
import { SequentialEditor } from "../../src/edit/sequential-editor.js";
import type { LanguageModel } from "../../src/model/language-model.js";
import { type Family, officialJson, officialPath } from "./official.js";

interface Request {
  case_id: number;
  prompt: string;
  subject: string;
  target_new: string;
  target_true: string;
}

/** What a run of the fixtures was made with. */
export interface FixtureRun {
  facts: Fact[];
  batchSize: number;
  alpha: number;
  hyperparameters: Hyperparameters;
  contextTemplates: ContextTemplates;
}

/** @param section - Of the method, as hparams.json names it. */
export function fixtureRun(family: Family, section = "lyaplock"): FixtureRun {
  const hparams = officialJson<{ run: { alpha: number; batch_size: number } }>(family, "hparams.json");
  return {
    facts: officialJson<Request[]>(family, "requests.json").map((request) => ({
      caseId: request.case_id,
      prompt: request.prompt,
      subject: request.subject,
      targetNew: request.target_new,
      targetTrue: request.target_true,
    })),
    batchSize: hparams.run.batch_size,
    alpha: hparams.run.alpha,
    hyperparameters: parseHyperparameters(hparams, section),
    contextTemplates: parseContextTemplates(officialJson(family, "context_templates.json")),
  };
}

/** An editor for a run of the fixtures on that family's unedited model; LyapLock's, where no method is named. */
export async function fixtureEditor(
  model: LanguageModel,
  family: Family,
  { method, section }: { method?: EditingMethod; section?: string } = {},
): Promise<SequentialEditor> {
  const { alpha, hyperparameters, contextTemplates } = fixtureRun(family, section);
  const moments = await readSecondMoments(
    officialPath(family, "statistics"),
    hyperparameters.layers,
    model.config.feedForwardWidth,
  );
  return SequentialEditor.create(model, {
    method: method ?? methods.lyaplock({ alpha }),
    moments,
    hyperparameters,
    contextTemplates,
  });
}
