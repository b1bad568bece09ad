import type { Command } from "commander";
import { table } from "../report/index.js";
import { collectMoments } from "../run/index.js";
import { addCommonOptions, addModelOption, type CommonOptions, layersOption } from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

interface MomentsCommandOptions extends CommonOptions {
  model: string;
  text?: string[];
  layers?: number[];
  out?: string;
}

export function addMomentsCommand(program: Command, runtime: Runtime): void {
  const command = addModelOption(program.command("moments"))
    .summary("collects second moments, the measure of what a model knows already")
    .description(
      "Collects the second moment of what enters the down-projection of each layer, over texts. It stands for what the " +
        "model knows already. It is kept in the cache, so that edit and run with the same texts find it; --out writes it too.",
    )
    .option("--text <file...>", "texts: one a line, or a JSON array of strings (the built-in model has its own)")
    .addOption(layersOption("layers (default: those that would be edited)"))
    .option("--out <dir>", "write layer-<i>.safetensors here, for --moments");
  addCommonOptions(command).action(async (options: MomentsCommandOptions) => {
    const { model, text, layers, out } = options;
    const result = await collectMoments({ model, text, layers, directory: out }, runtime.progress, runtime.signal);
    printResult(runtime, options, result, () => {
      const rows = result.layers.map(({ layer, tokens }) => [String(layer), String(tokens)]);
      const columns = ["layer", "tokens"].map((heading) => ({ heading, align: "right" as const }));
      return `${table(columns, rows)}\n\nSecond moments of ${result.model} are in ${result.directory}`;
    });
  });
}
