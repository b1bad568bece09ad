import { type Command, Option } from "commander";
import { describeEvaluation } from "../report/index.js";
import { evaluateDataset } from "../run/index.js";
import { addCommonOptions, addModelOption, type CommonOptions, type ModelOptions, positiveInteger } from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

interface EvalOptions extends CommonOptions, ModelOptions {
  dataset?: string;
  cases?: number;
  perplexity?: string;
  tokens?: number;
  window?: number;
}

export function addEvalCommand(program: Command, runtime: Runtime): void {
  const command = addModelOption(program.command("eval"))
    .summary("measures a model, edited or not, on the facts of a dataset or on a text")
    .description(
      "Measures a model, edited or not: efficacy, generalization and specificity on the facts of a dataset, and how well " +
        "it foretells a text, as perplexity.",
    )
    .option("--dataset <name>", "atlas, or counterfact:FILE (either of its formats)")
    .addOption(new Option("--cases <n>", "first facts to use (default: all)").argParser(positiveInteger))
    .option("--perplexity <file>", "a text to be foretold, token by token")
    .addOption(new Option("--tokens <n>", "of the text, from its first (default: all)").argParser(positiveInteger))
    .addOption(new Option("--window <n>", "tokens read together (default: 512)").argParser(positiveInteger));
  addCommonOptions(command).action(async (options: EvalOptions) => {
    if (options.dataset === undefined && options.perplexity === undefined) {
      command.error("error: name a --dataset, a text for --perplexity, or both");
    }
    const result = await evaluateDataset(options, runtime.progress, runtime.signal);
    printResult(runtime, options, result, () => describeEvaluation(result));
  });
}
