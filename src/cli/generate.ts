import { type Command, Option } from "commander";
import { loadModel } from "../model/index.js";
import { addCommonOptions, addModelOption, type CommonOptions, positiveInteger, seedOption } from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

interface GenerateCommandOptions extends CommonOptions {
  model: string;
  prompt: string;
  tokens: number;
  topK: number;
  seed?: number;
}

export function addGenerateCommand(program: Command, runtime: Runtime): void {
  const command = addModelOption(program.command("generate"))
    .summary("continues a prompt")
    .description("Continues a prompt, drawing each token among the most probable ones.")
    .requiredOption("--prompt <text>", "the prompt")
    .addOption(new Option("--tokens <n>", "tokens to add").argParser(positiveInteger).default(30))
    .addOption(
      new Option("--top-k <n>", "draw among so many; 1 takes the most probable").argParser(positiveInteger).default(5),
    )
    .addOption(seedOption());
  addCommonOptions(command).action(async (options: GenerateCommandOptions) => {
    const { prompt, tokens, topK, seed = 42 } = options;
    const { signal } = runtime;
    const model = await loadModel(options.model, { signal });
    try {
      const maxLength = model.encodePrompt(prompt, tokens).length + tokens;
      const [text] = await model.generate([prompt], { maxLength, topK, seed, signal });
      printResult(runtime, options, { text }, () => text!);
    } finally {
      model.dispose();
    }
  });
}
