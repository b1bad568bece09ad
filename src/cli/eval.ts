import { type Command, Option } from "commander";
import { describeEvaluation } from "../report/index.js";
import { evaluateModel } from "../run/index.js";
import {
  addCommonOptions,
  addModelOption,
  type CommonOptions,
  consistencyOption,
  datasetOption,
  fluencyOption,
  glueOption,
  type ModelOptions,
  offsetOption,
  positiveInteger,
  publishedRteOption,
  publishedZsreOption,
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
  publishedZsre?: boolean;
  perplexity?: string;
  tokens?: number;
  window?: number;
  glue?: string;
  publishedRteLabels?: boolean;
}

export function addEvalCommand(program: Command, runtime: Runtime): void {
  const command = addModelOption(program.command("eval"))
    .summary("measures a model, edited or not, on the facts of a dataset, on a text or on GLUE")
    .description(
      "Measures a model, edited or not: efficacy, generalization and specificity on the facts of a dataset, what text " +
        "generated about them is like, how well it foretells a text, as perplexity, and what it can do apart from that: the " +
        "six tasks of GLUE and MMLU.",
    )
    .addOption(datasetOption())
    .addOption(new Option("--cases <n>", "first facts to use (default: all)").argParser(positiveInteger))
    .addOption(offsetOption())
    .addOption(shuffleOption())
    .addOption(seedOption())
    .addOption(fluencyOption())
    .addOption(consistencyOption())
    .addOption(publishedZsreOption())
    .option("--perplexity <file>", "a text to be foretold, token by token")
    .addOption(new Option("--tokens <n>", "of the text, from its first (default: all)").argParser(positiveInteger))
    .addOption(new Option("--window <n>", "tokens read together (default: 512)").argParser(positiveInteger))
    .addOption(glueOption("the six tasks of GLUE and MMLU"))
    .addOption(publishedRteOption());
  addCommonOptions(command).action(async (options: EvalOptions) => {
    if (options.dataset === undefined && options.perplexity === undefined && options.glue === undefined) {
      command.error("error: name a --dataset, a text for --perplexity, a directory for --glue, or several of them");
    }
    const { shuffle = false, seed = 42, ...asked } = options;
    const part = shuffle ? { ...asked, shuffle: seed } : asked;
    const result = await evaluateModel(part, runtime.progress, runtime.signal);
    printResult(runtime, options, result, () => describeEvaluation(result));
  });
}
