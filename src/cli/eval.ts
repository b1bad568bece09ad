import { type Command, Option } from "commander";
import { describeMetrics } from "../report/index.js";
import { evaluateDataset } from "../run/index.js";
import { addCommonOptions, addModelOption, type CommonOptions, type ModelOptions, positiveInteger } from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

interface EvalOptions extends CommonOptions, ModelOptions {
  dataset: string;
  cases?: number;
}

export function addEvalCommand(program: Command, runtime: Runtime): void {
  const command = addModelOption(program.command("eval"))
    .summary("measures a model, edited or not, on the facts of a dataset")
    .description(
      "Measures efficacy, generalization and specificity of a model, edited or not, on the facts of a dataset.",
    )
    .requiredOption("--dataset <name>", "atlas, or counterfact:FILE (either of its formats)")
    .addOption(new Option("--cases <n>", "first facts to use (default: all)").argParser(positiveInteger));
  addCommonOptions(command).action(async (options: EvalOptions) => {
    const result = await evaluateDataset(options, runtime.progress, runtime.signal);
    printResult(runtime, options, result, () => `${result.cases} facts\n\n${describeMetrics(null, result.metrics)}`);
  });
}
