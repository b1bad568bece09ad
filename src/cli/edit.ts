import type { Command } from "commander";
import {
  describeChecks,
  describeExamples,
  describeLayers,
  describeSkipped,
  describeWeightChanges,
} from "../report/index.js";
import { checkEdit, type EditOutcome, editModel } from "../run/index.js";
import { addCommonOptions, addEditingOptions, addModelOption, type EditingOptions } from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

interface EditCommandOptions extends EditingOptions {
  model: string;
  facts: string;
  out?: string;
  dryRun?: boolean;
}

export function addEditCommand(program: Command, runtime: Runtime): void {
  const command = addModelOption(program.command("edit"))
    .summary("edits the facts of a JSON file, writes a model that transformers loads")
    .description(
      "Edits the facts of a JSON file into a model and writes the edited model as a directory that transformers loads.",
    )
    .requiredOption("--facts <file>", "JSON: [{ prompt, subject, target_new, … }], {} in the prompt for the subject")
    .option("--out <dir>", "the model directory to make")
    .option("--dry-run", "check the facts, print how each would be edited, and stop");
  addCommonOptions(addEditingOptions(command))
    .addHelpText("after", example)
    .action(async (options: EditCommandOptions) => {
      const { device: _, threads: _threads, json: _json, out, dryRun, ...asked } = options;
      if (dryRun) return checkOnly(options, runtime);
      if (out === undefined) command.error("error: required option '--out <dir>' not specified", { exitCode: 2 });
      runtime.onStopped = async () => "Nothing was written.";
      const outcome = await editModel({ directory: out!, ...asked }, runtime.progress, runtime.signal);
      printResult(runtime, options, outcome, () => describeEdit(outcome));
    });
}

/** A dry run fails like the edit would. */
async function checkOnly(options: EditCommandOptions, runtime: Runtime): Promise<void> {
  const checks = await checkEdit(options, runtime.progress, runtime.signal);
  printResult(runtime, options, checks, () => describeChecks(checks.checks, checks.unreadable));
  const bad = checks.unreadable.length > 0 || checks.checks.some(({ problems }) => problems.length > 0);
  if (bad && !options.skipBad) process.exitCode = 1;
}

function describeEdit({ directory, record, examples }: EditOutcome): string {
  return [
    `${record.edits} facts edited with ${record.method.name} (α = ${record.method.alpha}).`,
    describeExamples(examples),
    describeLayers(record.layers, record.hyperparameters.covarianceWeight),
    describeWeightChanges(record.weightChanges),
    ...(record.skipped.length > 0 ? [describeSkipped(record.skipped)] : []),
    `The edited model is in ${directory}, and how it came to be in lyaplock-edit.json there.`,
  ].join("\n\n");
}

const example = `
Example:
  lyaplock edit --model builtin:atlas --facts facts.json --out edited
  with facts.json: [{ "prompt": "The capital of {} is", "subject": "Peru", "target_new": "Paris" }]`;
