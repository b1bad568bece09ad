import { type Command, Option } from "commander";
import { describePlan } from "../report/index.js";
import { isPlannedDevice, type PlanOptions, plannedDeviceNames, planRun } from "../run/index.js";
import { addCommonOptions, deviceOption, layersOption, modelOption, positiveInteger } from "./options.js";
import { type ConfigurationOptions, printResult, type Runtime } from "./runtime.js";

interface PlanCommandOptions extends ConfigurationOptions {
  model?: string;
  keyWidth?: number;
  valueWidth?: number;
  layers?: number[];
  edits: number;
  batch?: number;
}

export function addPlanCommand(program: Command, runtime: Runtime): void {
  const command = program
    .command("plan")
    .summary("predicts memory, operations and time before anything is run")
    .description(
      "Predicts memory, operations and time of the updates of a run, on this machine, before anything is run. Of a model " +
        "only the configuration is read; for one that is not there, give the shape of its down-projections. For a GPU that is " +
        "named, here or not, whole batches are calculated from the operations and bytes that the code asks for: time per edit, what " +
        "binds it, and whether the run's memory fits.",
    )
    .addOption(modelOption())
    .addOption(new Option("--key-width <d>", "in place of a model: its MLP's width").argParser(positiveInteger))
    .addOption(new Option("--value-width <m>", "in place of a model: its width").argParser(positiveInteger))
    .addOption(new Option("--edits <n>", "facts to edit").argParser(positiveInteger).makeOptionMandatory())
    .addOption(new Option("--batch <n>", "facts edited together (default: 100)").argParser(positiveInteger))
    .addOption(layersOption("layers to edit (default: those that would be edited)"))
    .addOption(new Option("--method <name>", "editing method (default: lyaplock)").choices(["lyaplock"]));
  const where = "where to compute; or a GPU to plan for by its data sheet, with --matmul as it would run";
  addCommonOptions(command, deviceOption(where, plannedDeviceNames))
    .addHelpText("after", example)
    .action(async (options: PlanCommandOptions) => {
      const planned = planOptions(options);
      if (planned === undefined) {
        const needed =
          "error: give --model, or --key-width, --value-width and --layers, which do not do for a GPU to plan for";
        return command.error(needed, { exitCode: 2 });
      }
      const plan = await planRun(planned, runtime.signal);
      printResult(runtime, options, plan, () => describePlan(plan));
    });
}

/** A model or a shape, not both and not half of one. */
function planOptions({
  model,
  keyWidth,
  valueWidth,
  layers,
  edits,
  batch,
  device: where,
  matmul,
  solve,
}: PlanCommandOptions): PlanOptions | undefined {
  const device = isPlannedDevice(where) ? where : undefined;
  if (model !== undefined) {
    if (keyWidth !== undefined || valueWidth !== undefined) return undefined;
    return { model, layers, edits, batch, device, matmul, solve };
  }
  if (keyWidth === undefined || valueWidth === undefined || layers === undefined || device !== undefined)
    return undefined;
  return { keyWidth, valueWidth, layers, edits, batch };
}

const example = `
Example:
  lyaplock plan --model builtin:atlas --edits 2000
  lyaplock plan --key-width 6400 --value-width 1600 --layers 13-17 --edits 10000     (GPT2-XL)
  lyaplock plan --model path/to/gpt-j-6b --edits 10000 --device a100 --matmul tf32      (config.json is enough)`;
