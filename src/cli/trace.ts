import { type Command, InvalidArgumentError, Option } from "commander";
import { describeTrace } from "../report/index.js";
import { traceModel } from "../run/index.js";
import { type TraceKind, traceKinds } from "../trace/index.js";
import {
  addCommonOptions,
  addModelOption,
  type CommonOptions,
  type ModelOptions,
  positiveInteger,
  wholeNumber,
} from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

interface TraceCommandOptions extends CommonOptions, ModelOptions {
  known: string;
  out?: string;
  facts?: number;
  kinds?: TraceKind[];
  noise?: number;
  samples?: number;
  window?: number;
  seed?: number;
  suggestLayers?: boolean;
}

export function addTraceCommand(program: Command, runtime: Runtime): void {
  const command = addModelOption(program.command("trace"))
    .summary("shows by causal tracing which tokens and layers hold facts, and so which layers to edit")
    .description(
      "Causal tracing: noise on the subject takes an answer away; what brings it back, when it is restored to what the model " +
        "computed without noise, carried the fact. Restores hidden states, MLP outputs and attention outputs at every token " +
        "and layer of facts that the model knows, and averages over them.",
    )
    .requiredOption("--known <file>", "facts the model may know (known_id, prompt, subject, attribute), or atlas")
    .option("--out <dir>", "a new directory for trace.jsonl, a line for each fact, and summary.json")
    .addOption(new Option("--facts <n>", "known facts to trace (default: all)").argParser(positiveInteger))
    .addOption(new Option("--kinds <list>", `of ${traceKinds.join(", ")} (default: all)`).argParser(kindList))
    .addOption(
      new Option(
        "--noise <x>",
        "standard deviation of the noise (default: three times the spread of the subjects' embeddings)",
      ).argParser(notNegative),
    )
    .addOption(new Option("--samples <n>", "corrupted copies of each prompt (default: 10)").argParser(positiveInteger))
    .addOption(
      new Option(
        "--window <n>",
        "layers in which MLP and attention outputs are restored together (default: 10, in shallow models half of the layers)",
      ).argParser(windowSize),
    )
    .addOption(new Option("--seed <n>", "of the noise (default: 1)").argParser(wholeNumber))
    .option(
      "--suggest-layers",
      "name layers to edit, by MLP outputs; without --out nothing else is traced, which is quick",
    );
  addCommonOptions(command)
    .addHelpText("after", example)
    .action(async (options: TraceCommandOptions) => {
      const { suggestLayers = false, out } = options;
      if (out === undefined && !suggestLayers) {
        command.error("error: required option '--out <dir>' not specified (or --suggest-layers)", { exitCode: 2 });
      }
      if (suggestLayers && options.kinds !== undefined && !options.kinds.includes("mlp")) {
        command.error("error: --suggest-layers needs mlp among the --kinds", { exitCode: 2 });
      }
      runtime.onStopped = async () =>
        out === undefined ? "Nothing was written." : "Facts that were traced are in trace.jsonl, where there are any.";
      const onlySuggest = out === undefined;
      const summary = await traceModel({ ...options, onlySuggest }, runtime.progress, runtime.signal);
      printResult(runtime, options, summary, () => describeTrace(summary));
    });
}

function kindList(text: string): TraceKind[] {
  const kinds = text.split(",").map((name) => traceKinds.find((kind) => kind === name.trim()));
  if (kinds.includes(undefined) || new Set(kinds).size < kinds.length) {
    throw new InvalidArgumentError(`Expected some of ${traceKinds.join(",")}, each once.`);
  }
  return kinds as TraceKind[];
}

function notNegative(text: string): number {
  const number = Number(text);
  if (text.trim() === "" || !(number >= 0) || !Number.isFinite(number)) {
    throw new InvalidArgumentError("Expected a number, 0 or more.");
  }
  return number;
}

function windowSize(text: string): number {
  const layers = positiveInteger(text);
  if (layers < 2) throw new InvalidArgumentError("Expected two layers or more.");
  return layers;
}

const example = `
Example:
  lyaplock trace --model builtin:atlas --known atlas --facts 20 --out traces/atlas
  lyaplock trace --model smollm2-135m --known known_1000.json --facts 20 --suggest-layers`;
