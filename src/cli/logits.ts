import { type Command, Option } from "commander";
import { LyaplockError } from "../errors.js";
import type { LanguageModel } from "../model/index.js";
import { quoted, table } from "../report/index.js";
import { openModel, writeLogits } from "../run/index.js";
import { addCommonOptions, addModelOption, type CommonOptions, type ModelOptions, positiveInteger } from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

interface LogitsOptions extends CommonOptions, ModelOptions {
  prompt: string;
  top: number;
  all?: boolean;
  out?: string;
}

export function addLogitsCommand(program: Command, runtime: Runtime): void {
  const command = addModelOption(program.command("logits"))
    .summary("shows what a model would say next")
    .description("Shows the most probable next tokens after a prompt.")
    .requiredOption("--prompt <text>", "the prompt")
    .addOption(new Option("--top <n>", "tokens to show").argParser(positiveInteger).default(10))
    .option("--all", "logits of every position, not only of the last: needs --out")
    .option("--out <file>", "write tokens and logits as safetensors");
  addCommonOptions(command).action(async (options: LogitsOptions) => {
    if (options.all && options.out === undefined) {
      command.error("error: --all gives too many numbers to print: name a file with --out", { exitCode: 2 });
    }
    const model = await openModel(options, runtime.progress, runtime.signal);
    try {
      const next = await model.nextTokens(options.prompt, { top: options.top, signal: runtime.signal });
      if (options.out !== undefined) await writeFile(model, options, options.out, runtime.signal);
      printResult(runtime, options, next, () =>
        table(
          [{ heading: "next token" }, { heading: "id", align: "right" }, { heading: "probability", align: "right" }],
          next.map(({ text, token, probability }) => [
            quoted(text),
            String(token),
            `${(100 * probability).toFixed(2)} %`,
          ]),
        ),
      );
    } finally {
      model.dispose();
    }
  });
}

async function writeFile(
  model: LanguageModel,
  { prompt, all }: LogitsOptions,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const { tokens, logits } = await model.logits(prompt, { signal });
  if (logits.some((logit) => !Number.isFinite(logit))) {
    throw new LyaplockError("ERR_NOT_FINITE", "The model's logits hold NaN or infinity; nothing was written.");
  }
  if (all) return writeLogits(path, tokens, logits, tokens.length);
  const vocabulary = logits.length / tokens.length;
  return writeLogits(path, tokens, logits.subarray(logits.length - vocabulary), 1);
}
