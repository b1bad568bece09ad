import { type Command, Option } from "commander";
import type { SaveType } from "../model/index.js";
import { describeMatrix } from "../report/index.js";
import { isResumable, runExperiment, runMatrix } from "../run/index.js";
import {
  addCommonOptions,
  addEditingOptions,
  addLoadingOptions,
  dtypeOption,
  type EditingOptions,
  type ModelOptions,
  modelOption,
  positiveInteger,
} from "./options.js";
import { describeRun } from "./run-report.js";
import { printResult, type Runtime } from "./runtime.js";

interface RunOptions extends EditingOptions, Partial<ModelOptions> {
  config?: string;
  data?: string;
  dataset?: string;
  edits?: number;
  metricsBefore?: boolean;
  out: string;
  resume?: boolean;
  dtype?: SaveType;
}

export function addRunCommand(program: Command, runtime: Runtime): void {
  const command = program
    .command("run")
    .summary("edits the facts of a dataset in sequence and measures the result")
    .description(
      "Edits the first facts of a dataset in batches, each on the model the last one left, evaluates the result and " +
        "keeps everything in a run directory. A run that was interrupted in whatever way goes on with --resume.",
    )
    .addOption(modelOption())
    .option("--config <file>", "a file that describes many runs; each gets a directory of its own in --out")
    .option("--data <dir>", 'what "{data}" stands for in --config (default: data, beside that file)')
    .option("--dataset <name>", "atlas, or counterfact:FILE (either of its formats)")
    .requiredOption("--out <dir>", "the run directory")
    .option("--resume", "go on with the run in --out, with the options it was begun with")
    .addOption(new Option("--edits <n>", "facts to edit (default: all of the dataset)").argParser(positiveInteger))
    .option("--metrics-before", "evaluate the unedited model too")
    .addOption(dtypeOption());
  addCommonOptions(addEditingOptions(addLoadingOptions(command)))
    .addHelpText("after", example)
    .action(async (options: RunOptions) => {
      if (options.config !== undefined) return runConfig(options.config, options, command, runtime);
      if (options.resume !== true && (options.model === undefined || options.dataset === undefined)) {
        command.error("error: a new run needs --model and --dataset (or --resume, to go on with one)", { exitCode: 2 });
      }
      const { device: _, threads: _threads, json: _json, out: directory, ...asked } = options;
      runtime.onStopped = async () =>
        (await isResumable(directory))
          ? `Go on with: lyaplock run --out ${inShell(directory)} --resume`
          : "Nothing was written yet; the same command begins again.";
      const result = await runExperiment({ directory, ...asked }, runtime.progress, runtime.signal);
      printResult(runtime, options, result, () => describeRun(result));
    });
}

/** The options that go with --config; all others are in the file. */
const besideConfig = ["config", "data", "out", "resume", "device", "threads", "json"];

async function runConfig(file: string, options: RunOptions, command: Command, runtime: Runtime): Promise<void> {
  const other = command.options.find((option) => {
    const given = command.getOptionValueSource(option.attributeName()) === "cli";
    return given && !besideConfig.includes(option.attributeName());
  });
  if (other !== undefined) {
    command.error(`error: ${other.long} is no option of --config; say it in the file`, { exitCode: 2 });
  }
  const { out: directory, data, resume } = options;
  runtime.onStopped = async () =>
    `Go on with: lyaplock run --config ${inShell(file)}${data === undefined ? "" : ` --data ${inShell(data)}`} --out ${inShell(directory)} --resume`;
  const result = await runMatrix({ file, data, directory, resume }, runtime.progress, runtime.signal);
  printResult(runtime, options, result, () => describeMatrix(result));
  if (result.runs.some(({ state }) => state === "failed")) process.exitCode = 1;
}

function inShell(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

const example = `
Example:
  lyaplock run --model builtin:atlas --dataset atlas --edits 200 --batch 50 --out runs/first
  lyaplock run --out runs/first --resume
  lyaplock run --config experiments/atlas-methods.json --out runs/atlas-methods`;
