import { type Command, Option } from "commander";
import { inShell } from "../base/shell.js";
import type { SaveType } from "../model/index.js";
import { describeMatrix } from "../report/index.js";
import { holdsMatrix, isResumable, type RunEvents, runExperiment, runMatrix } from "../run/index.js";
import {
  addCommonOptions,
  addEditingOptions,
  addLoadingOptions,
  consistencyOption,
  datasetOption,
  dtypeOption,
  type EditingOptions,
  fluencyOption,
  glueOption,
  knowledgeOption,
  type ModelOptions,
  modelOption,
  offsetOption,
  portNumber,
  positiveInteger,
  publishedRteOption,
  publishedZsreOption,
  shuffleOption,
} from "./options.js";
import { describeRun } from "./run-report.js";
import { printResult, type Runtime } from "./runtime.js";

interface RunOptions extends EditingOptions, Partial<ModelOptions> {
  config?: string;
  data?: string;
  dataset?: string;
  edits?: number;
  offset?: number;
  shuffle?: boolean;
  fluency?: boolean;
  consistency?: string;
  publishedZsre?: boolean;
  metricsBefore?: boolean;
  out: string;
  resume?: boolean;
  dtype?: SaveType;
  glue?: string;
  publishedRteLabels?: boolean;
  perplexity?: string;
  knowledge?: string;
  glueEvery?: number;
  evalEvery?: number;
  caseStudy?: { cases: number };
  watch?: number | true;
  stopOnCollapse?: boolean;
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
    .addOption(datasetOption())
    .requiredOption("--out <dir>", "the run directory")
    .option("--resume", "go on with the run, or runs, in --out, with the options they were begun with")
    .addOption(new Option("--edits <n>", "facts to edit (default: all of the dataset)").argParser(positiveInteger))
    .addOption(offsetOption())
    .addOption(shuffleOption())
    .option("--metrics-before", "evaluate the unedited model too")
    .addOption(fluencyOption())
    .addOption(consistencyOption())
    .addOption(publishedZsreOption())
    .addOption(dtypeOption())
    .addOption(glueOption("measure GLUE before the first edit, during the run and after the last"))
    .addOption(publishedRteOption())
    .option("--perplexity <file>", "measure the perplexity of a text at the same times as GLUE")
    .addOption(knowledgeOption("measure, at the same times, how many of some facts that nobody edits the model knows"))
    .addOption(
      new Option("--glue-every <n>", "edits between two such measurements (default: 1000)").argParser(positiveInteger),
    )
    .addOption(
      new Option("--eval-every <n>", "measure all facts edited so far every so many edits").argParser(positiveInteger),
    )
    .addOption(
      new Option(
        "--case-study <n>",
        "keep longer texts of so many facts, by the unedited and the edited model",
      ).argParser((value: string) => ({ cases: positiveInteger(value) })),
    )
    .addOption(
      new Option(
        "--watch [port]",
        "show the batches in a table, and serve the page of report --html on this machine alone, which follows the run and ends with it (default port: a free one, which is printed)",
      ).argParser(portNumber),
    )
    .option(
      "--stop-on-collapse",
      "end, with exit code 3, after a batch that raises an alarm of collapse: first facts forgotten, or values that no longer converge; --resume goes on",
    );
  addCommonOptions(addEditingOptions(addLoadingOptions(command)))
    .addHelpText("after", example)
    .action(async (options: RunOptions) => {
      if (options.config !== undefined || (options.resume && (await holdsMatrix(options.out)))) {
        return runConfig(options, command, runtime);
      }
      if (options.resume !== true && (options.model === undefined || options.dataset === undefined)) {
        command.error("error: a new run needs --model and --dataset (or --resume, to go on with one)", { exitCode: 2 });
      }
      if (
        options.glueEvery !== undefined &&
        options.resume !== true &&
        !(options.glue ?? options.perplexity ?? options.knowledge)
      ) {
        command.error("error: --glue-every says how often: --glue, --perplexity or --knowledge says what", {
          exitCode: 2,
        });
      }
      const {
        device: _,
        threads: _threads,
        matmul: _matmul,
        solve: _solve,
        json: _json,
        out: directory,
        watch,
        ...asked
      } = options;
      runtime.onStopped = async () => whatGoesOn(directory, await isResumable(directory));
      const result = await watched(watch, directory, runtime, (events) =>
        runExperiment({ directory, watched: watch !== undefined, ...asked }, events, runtime.signal),
      );
      printResult(runtime, options, result, () => describeRun(result));
    });
}

/** What is said when a run was stopped. */
function whatGoesOn(directory: string, isBegun: boolean): string {
  return isBegun
    ? `Go on with: lyaplock run --out ${inShell(directory)} --resume`
    : "Nothing was written yet; the same command begins again.";
}

/** The options that go with --config; all others are in the file. */
const besideConfig = ["config", "data", "out", "resume", "device", "threads", "json", "watch", "stopOnCollapse"];

async function runConfig(options: RunOptions, command: Command, runtime: Runtime): Promise<void> {
  const other = command.options.find((option) => {
    const given = command.getOptionValueSource(option.attributeName()) === "cli";
    return given && !besideConfig.includes(option.attributeName());
  });
  if (other !== undefined) {
    command.error(`error: ${other.long} is no option of --config; say it in the file`, { exitCode: 2 });
  }
  const { config: file, out: directory, data, resume, watch, stopOnCollapse } = options;
  runtime.onStopped = async () => whatGoesOn(directory, await holdsMatrix(directory));
  const asked = { file, data, directory, resume, watched: watch !== undefined, stopOnCollapse };
  const result = await watched(watch, directory, runtime, (events) => runMatrix(asked, events, runtime.signal));
  printResult(runtime, options, result, () => describeMatrix(result));
  if (result.runs.some(({ state }) => state === "failed")) process.exitCode = 1;
}

/** Runs, and lets it be watched where that was asked for. */
async function watched<T>(
  watch: RunOptions["watch"],
  directory: string,
  { progress, signal }: Runtime,
  run: (events: RunEvents) => Promise<T>,
): Promise<T> {
  if (watch === undefined) return run(progress);
  progress.tabulates = true;
  const { watchRun } = await import("../watch/watch-run.js"); // nothing else here needs the plotting library
  return watchRun({ directory, port: watch === true ? 0 : watch, events: progress, signal }, run);
}

const example = `
Example:
  lyaplock run --model builtin:atlas --dataset atlas --edits 200 --batch 50 --out runs/first
  lyaplock run --out runs/first --resume --watch
  lyaplock run --config experiments/atlas-methods.json --out runs/atlas-methods`;
