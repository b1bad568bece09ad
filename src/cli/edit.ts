import type { Command } from "commander";
import type { SaveType } from "../model/index.js";
import {
  describeChecks,
  describeExamples,
  describeLayers,
  describeSkipped,
  describeWeightChanges,
} from "../report/index.js";
import { checkEdit, type EditOutcome, editModel, methodInWords, saveChangedModel } from "../run/index.js";
import {
  addCommonOptions,
  addEditingOptions,
  addModelOption,
  dtypeOption,
  type EditingOptions,
  type ModelOptions,
} from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

interface EditCommandOptions extends EditingOptions, ModelOptions {
  facts?: string;
  out?: string;
  delta?: string;
  dtype?: SaveType;
  dryRun?: boolean;
}

export function addEditCommand(program: Command, runtime: Runtime): void {
  const command = addModelOption(program.command("edit"))
    .summary("edits the facts of a JSON file, writes a model that transformers loads")
    .description(
      "Edits the facts of a JSON file into a model and writes the edited model as a directory that transformers loads.",
    )
    .option("--facts <file>", "JSON: [{ prompt, subject, target_new, … }], {} in the prompt for the subject")
    .option("--out <dir>", "the model directory to make")
    .option("--delta <file>", "a file for what the edits change and nothing else, small where the facts are few")
    .addOption(dtypeOption())
    .option("--dry-run", "check the facts, print how each would be edited, and stop");
  addCommonOptions(addEditingOptions(command))
    .addHelpText("after", example)
    .action(async (options: EditCommandOptions) => {
      const {
        device: _,
        threads: _threads,
        matmul: _matmul,
        solve: _solve,
        json: _json,
        out: directory,
        dryRun,
        facts,
        ...asked
      } = options;
      const refuse = (what: string) => command.error(`error: ${what}`, { exitCode: 2 });
      runtime.onStopped = async () => "Nothing was written.";
      if (facts === undefined) {
        if (options.applyDelta === undefined && options.removeDelta === undefined) {
          return refuse("required option '--facts <file>' not specified");
        }
        if (directory === undefined) return refuse("required option '--out <dir>' not specified");
        const outcome = await saveChangedModel({ ...asked, directory }, runtime.progress, runtime.signal);
        return printResult(runtime, options, outcome, () => `The changed model is in ${outcome.directory}.`);
      }
      if (dryRun) return checkOnly({ ...options, facts }, runtime);
      if (directory === undefined && options.delta === undefined) {
        return refuse("required option '--out <dir>' not specified (or --delta <file>)");
      }
      const outcome = await editModel({ ...asked, facts, directory }, runtime.progress, runtime.signal);
      printResult(runtime, options, outcome, () => describeEdit(outcome));
    });
}

/** A dry run fails like the edit would. */
async function checkOnly(options: EditCommandOptions & { facts: string }, runtime: Runtime): Promise<void> {
  const checks = await checkEdit(options, runtime.progress, runtime.signal);
  printResult(runtime, options, checks, () => describeChecks(checks.checks, checks.unreadable));
  const bad = checks.unreadable.length > 0 || checks.checks.some(({ problems }) => problems.length > 0);
  if (bad && !options.skipBad) process.exitCode = 1;
}

function describeEdit({ directory, delta, record, examples }: EditOutcome): string {
  return [
    `${record.edits} facts edited with ${methodInWords(record.method)}.`,
    describeExamples(examples),
    describeLayers(record.layers, record.hyperparameters.covarianceWeight),
    describeWeightChanges(record.weightChanges),
    ...(record.skipped.length > 0 ? [describeSkipped(record.skipped)] : []),
    ...(directory === null
      ? []
      : [`The edited model is in ${directory}, and how it came to be in lyaplock-edit.json there.`]),
    ...(delta === null ? [] : [`What changed is in ${delta}: give it to --apply-delta, or to --remove-delta.`]),
  ].join("\n\n");
}

const example = `
Example:
  lyaplock edit --model builtin:atlas --facts facts.json --out edited
  with facts.json: [{ "prompt": "The capital of {} is", "subject": "Peru", "target_new": "Paris" }]`;
