import { type Command, Option } from "commander";
import type { SaveType } from "../model/index.js";
import { isResumable, runExperiment } from "../run/index.js";
import {
  addCommonOptions,
  addEditingOptions,
  addLoadingOptions,
  dtypeOption,
  type EditingOptions,
  glueOption,
  type ModelOptions,
  modelOption,
  positiveInteger,
  publishedRteOption,
} from "./options.js";
import { describeRun } from "./run-report.js";
import { printResult, type Runtime } from "./runtime.js";

interface RunOptions extends EditingOptions, Partial<ModelOptions> {
  dataset?: string;
  edits?: number;
  metricsBefore?: boolean;
  out: string;
  resume?: boolean;
  dtype?: SaveType;
  glue?: string;
  publishedRteLabels?: boolean;
  perplexity?: string;
  glueEvery?: number;
  evalEvery?: number;
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
    .option("--dataset <name>", "atlas, or counterfact:FILE (either of its formats)")
    .requiredOption("--out <dir>", "the run directory")
    .option("--resume", "go on with the run in --out, with the options it was begun with")
    .addOption(new Option("--edits <n>", "facts to edit (default: all of the dataset)").argParser(positiveInteger))
    .option("--metrics-before", "evaluate the unedited model too")
    .addOption(dtypeOption())
    .addOption(glueOption("measure GLUE before the first edit, during the run and after the last"))
    .addOption(publishedRteOption())
    .option("--perplexity <file>", "measure the perplexity of a text at the same times as GLUE")
    .addOption(
      new Option("--glue-every <n>", "edits between two such measurements (default: 1000)").argParser(positiveInteger),
    )
    .addOption(
      new Option("--eval-every <n>", "measure all facts edited so far every so many edits").argParser(positiveInteger),
    );
  addCommonOptions(addEditingOptions(addLoadingOptions(command)))
    .addHelpText("after", example)
    .action(async (options: RunOptions) => {
      if (options.resume !== true && (options.model === undefined || options.dataset === undefined)) {
        command.error("error: a new run needs --model and --dataset (or --resume, to go on with one)", { exitCode: 2 });
      }
      if (options.glueEvery !== undefined && options.resume !== true && !(options.glue ?? options.perplexity)) {
        command.error("error: --glue-every says how often: --glue or --perplexity says what", { exitCode: 2 });
      }
      const {
        device: _,
        threads: _threads,
        matmul: _matmul,
        solve: _solve,
        json: _json,
        out: directory,
        ...asked
      } = options;
      runtime.onStopped = async () =>
        (await isResumable(directory))
          ? `Go on with: lyaplock run --out ${inShell(directory)} --resume`
          : "Nothing was written yet; the same command begins again.";
      const result = await runExperiment({ directory, ...asked }, runtime.progress, runtime.signal);
      printResult(runtime, options, result, () => describeRun(result));
    });
}

function inShell(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

const example = `
Example:
  lyaplock run --model builtin:atlas --dataset atlas --edits 200 --batch 50 --out runs/first
  lyaplock run --out runs/first --resume`;
