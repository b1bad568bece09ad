import { type Command, Option } from "commander";
import { describeEvaluation } from "../report/index.js";
import { evaluateModel } from "../run/index.js";
import {
  addCommonOptions,
  addModelOption,
  type CommonOptions,
  glueOption,
  type ModelOptions,
  positiveInteger,
  publishedRteOption,
} from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

interface EvalOptions extends CommonOptions, ModelOptions {
  dataset?: string;
  cases?: number;
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
      "Measures a model, edited or not: efficacy, generalization and specificity on the facts of a dataset, how well it " +
        "foretells a text, as perplexity, and what it can do apart from that: the six tasks of GLUE and MMLU.",
    )
    .option("--dataset <name>", "atlas, or counterfact:FILE (either of its formats)")
    .addOption(new Option("--cases <n>", "first facts to use (default: all)").argParser(positiveInteger))
    .option("--perplexity <file>", "a text to be foretold, token by token")
    .addOption(new Option("--tokens <n>", "of the text, from its first (default: all)").argParser(positiveInteger))
    .addOption(new Option("--window <n>", "tokens read together (default: 512)").argParser(positiveInteger))
    .addOption(glueOption("the six tasks of GLUE and MMLU"))
    .addOption(publishedRteOption());
  addCommonOptions(command).action(async (options: EvalOptions) => {
    if (options.dataset === undefined && options.perplexity === undefined && options.glue === undefined) {
      command.error("error: name a --dataset, a text for --perplexity, a directory for --glue, or several of them");
    }
    const result = await evaluateModel(options, runtime.progress, runtime.signal);
    printResult(runtime, options, result, () => describeEvaluation(result));
  });
}
