import { type Command, Option } from "commander";
import type { GeneratedText } from "../model/index.js";
import { openModel } from "../run/index.js";
import {
  addCommonOptions,
  addModelOption,
  type CommonOptions,
  type ModelOptions,
  positiveInteger,
  seedOption,
} from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

interface GenerateCommandOptions extends CommonOptions, ModelOptions {
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
    const model = await openModel(options, runtime.progress, signal);
    try {
      const maxLength = model.encodePrompt(prompt, tokens).length + tokens;
      const pieces = model.generateStream([prompt], { maxLength, topK, seed, signal });
      if (options.json) printResult(runtime, options, { text: prompt + (await joined(pieces)) }, () => "");
      else await printAll(runtime, prompt, pieces);
    } finally {
      model.dispose();
    }
  });
}

async function joined(pieces: AsyncIterable<GeneratedText>): Promise<string> {
  let all = "";
  for await (const { text } of pieces) all += text;
  return all;
}

/** Each word as it comes. */
async function printAll(runtime: Runtime, prompt: string, pieces: AsyncIterable<GeneratedText>): Promise<void> {
  runtime.print(prompt);
  try {
    for await (const { text } of pieces) runtime.print(text);
  } finally {
    runtime.print("\n");
  }
}
