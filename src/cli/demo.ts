import { type Command, Option } from "commander";
import { describeComparison } from "../report/index.js";
import { compareDemo, runDemo } from "../run/index.js";
import { addCommonOptions, type CommonOptions, positiveInteger } from "./options.js";
import { describeRun } from "./run-report.js";
import { printResult, type Runtime } from "./runtime.js";

interface DemoCommandOptions extends CommonOptions {
  edits: number;
  compare?: boolean;
}

export function addDemoCommand(program: Command, runtime: Runtime): void {
  const command = program
    .command("demo")
    .summary("edits 500 facts of the built-in model and shows what happened")
    .description(
      "Edits facts of the built-in model in sequence, 50 at a time, with metrics before and after, into runs/demo. " +
        "A demo that was interrupted goes on where it was; one that was finished starts over.",
    )
    .addOption(new Option("--edits <n>", "facts to edit").argParser(positiveInteger).default(500))
    .option("--compare", "edit them with MEMIT in sequence too, into runs/demo-compare, and show both side by side");
  addCommonOptions(command).action(async (options: DemoCommandOptions) => {
    runtime.onStopped = async () => "Go on with the same command";
    if (!options.json) {
      runtime.print(
        `Editing ${options.edits} facts of the built-in model, 50 at a time. It knows countries, capitals and cities; each\n` +
          "edit teaches it something false, and the preservation loss watches over all that it shall keep.\n\n",
      );
    }
    if (options.compare === true) {
      const results = await compareDemo({ edits: options.edits }, runtime.progress, runtime.signal);
      printResult(runtime, options, results, () => describeComparison(results));
      return;
    }
    const result = await runDemo({ edits: options.edits }, runtime.progress, runtime.signal);
    printResult(runtime, options, result, () => describeRun(result));
  });
}
