import { type Command, Option } from "commander";
import { describeEvaluation } from "../report/index.js";
import { evaluateDataset } from "../run/index.js";
import {
  addCommonOptions,
  addModelOption,
  type CommonOptions,
  consistencyOption,
  datasetOption,
  fluencyOption,
  type ModelOptions,
  offsetOption,
  positiveInteger,
  seedOption,
  shuffleOption,
} from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

interface EvalOptions extends CommonOptions, ModelOptions {
  dataset?: string;
  cases?: number;
  offset?: number;
  shuffle?: boolean;
  seed?: number;
  fluency?: boolean;
  consistency?: string;
  asPublished?: boolean;
  perplexity?: string;
  tokens?: number;
  window?: number;
}

export function addEvalCommand(program: Command, runtime: Runtime): void {
  const command = addModelOption(program.command("eval"))
    .summary("measures a model, edited or not, on the facts of a dataset or on a text")
    .description(
      "Measures a model, edited or not: efficacy, generalization and specificity on the facts of a dataset, what text " +
        "generated about them is like, and how well it foretells a text, as perplexity.",
    )
    .addOption(datasetOption())
    .addOption(new Option("--cases <n>", "first facts to use (default: all)").argParser(positiveInteger))
    .addOption(offsetOption())
    .addOption(shuffleOption())
    .addOption(seedOption())
    .addOption(fluencyOption())
    .addOption(consistencyOption())
    .option(
      "--as-published",
      "ZsRE for models with a BOS with the accidents of the published evaluation, to compare numbers",
    )
    .option("--perplexity <file>", "a text to be foretold, token by token")
    .addOption(new Option("--tokens <n>", "of the text, from its first (default: all)").argParser(positiveInteger))
    .addOption(new Option("--window <n>", "tokens read together (default: 512)").argParser(positiveInteger));
  addCommonOptions(command).action(async (options: EvalOptions) => {
    if (options.dataset === undefined && options.perplexity === undefined) {
      command.error("error: name a --dataset, a text for --perplexity, or both");
    }
    const { shuffle = false, seed = 42, ...asked } = options;
    const part = shuffle ? { ...asked, shuffle: seed } : asked;
    const result = await evaluateDataset(part, runtime.progress, runtime.signal);
    printResult(runtime, options, result, () => describeEvaluation(result));
  });
}
