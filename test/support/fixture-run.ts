import type { Fact } from "../../src/data/records.js";
import { readSecondMoments } from "../../src/data/second-moments-files.js";
import { type ContextTemplates, parseContextTemplates } from "../../src/edit/context-templates.js";
import { type Hyperparameters, parseHyperparameters } from "../../src/edit/hyperparameters.js";
import { methods } from "../../src/edit/methods/index.js";
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

/** What the fixtures' LyapLock run was made with. */
export interface FixtureRun {
  facts: Fact[];
  batchSize: number;
  alpha: number;
  hyperparameters: Hyperparameters;
  contextTemplates: ContextTemplates;
}

export function fixtureRun(family: Family): FixtureRun {
  const hparams = officialJson<{ run: { alpha: number; batch_size: number }; lyaplock: object }>(
    family,
    "hparams.json",
  );
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
    hyperparameters: parseHyperparameters(hparams.lyaplock),
    contextTemplates: parseContextTemplates(officialJson(family, "context_templates.json")),
  };
}

/** An editor for the fixtures' run on that family's unedited model. */
export async function fixtureEditor(model: LanguageModel, family: Family): Promise<SequentialEditor> {
  const { alpha, hyperparameters, contextTemplates } = fixtureRun(family);
  const moments = await readSecondMoments(
    officialPath(family, "statistics"),
    hyperparameters.layers,
    model.config.feedForwardWidth,
  );
  return SequentialEditor.create(model, {
    method: methods.lyaplock({ alpha }),
    moments,
    hyperparameters,
    contextTemplates,
  });
}
