import { type Command, Option } from "commander";
import type { WeightType } from "../native/addon.js";
import { describeListedMoments, table } from "../report/index.js";
import {
  type CollectedMoments,
  collectMoments,
  importMoments,
  listMoments,
  pruneMoments,
  verifyMoments,
} from "../run/index.js";
import {
  addCommonOptions,
  addLoadingOptions,
  type CommonOptions,
  layersOption,
  modelOption,
  positiveInteger,
} from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

interface MomentsCommandOptions extends CommonOptions {
  model?: string;
  applyDelta?: string[];
  removeDelta?: string[];
  weights?: WeightType;
  text?: string[];
  layers?: number[];
  maxLength?: number;
  tokens?: number;
  precision?: "float64" | "float32";
  out?: string;
  import?: string[];
  list?: boolean;
  verify?: boolean;
  prune?: boolean;
}

export function addMomentsCommand(program: Command, runtime: Runtime): void {
  const command = program
    .command("moments")
    .summary("collects second moments, the measure of what a model knows already")
    .description(
      "Collects the second moment of what enters the down-projection of each layer, over texts. It stands for what the " +
        "model knows already. It is kept in the cache, so that edit and run with the same texts find it; --out writes it too.",
    )
    .addOption(modelOption())
    .option("--text <file...>", "texts: one a line, or a JSON array of strings (the built-in model has its own)")
    .addOption(layersOption("layers (default: those that would be edited)"))
    .addOption(
      new Option("--max-length <n>", "tokens of a text that are used (default: the model's positions)").argParser(
        positiveInteger,
      ),
    )
    .addOption(new Option("--tokens <n>", "stop after so many tokens (default: all)").argParser(positiveInteger))
    .addOption(
      new Option("--precision <name>", "of products of keys; float32 is faster").choices(["float64", "float32"]),
    )
    .option("--out <dir>", "write layer-<i>.safetensors here, for --moments")
    .addOption(
      new Option(
        "--import <file...>",
        "read published statistics, {stats}/{model}/{dataset}_stats/….npz, instead of collecting; with --out",
      ).conflicts(["text", "maxLength", "tokens", "precision"]),
    )
    .addOption(alone("--list", "list what is in the cache"))
    .addOption(alone("--verify", "compare the cache with its checksums, and set aside what is damaged"))
    .addOption(alone("--prune", "remove from the cache all that is damaged, unfinished or left over"));
  addCommonOptions(addLoadingOptions(command)).action(async (options: MomentsCommandOptions) => {
    if (options.list) return list(options, runtime);
    if (options.verify) return verify(options, runtime);
    if (options.prune) return prune(options, runtime);
    return collect(command, options, runtime);
  });
}

const others = [
  "list",
  "verify",
  "prune",
  "model",
  "applyDelta",
  "removeDelta",
  "weights",
  "text",
  "layers",
  "maxLength",
  "tokens",
  "precision",
  "out",
  "import",
];

/** An option that takes the place of collecting. */
function alone(flag: string, description: string): Option {
  return new Option(flag, description).conflicts(others.filter((name) => `--${name}` !== flag));
}

async function collect(command: Command, options: MomentsCommandOptions, runtime: Runtime): Promise<void> {
  const { model, applyDelta, removeDelta, weights, text, layers } = options;
  const { maxLength, tokens, precision, out, import: files } = options;
  if (model === undefined) return missing(command, "--model <source>");
  if (files !== undefined) {
    if (out === undefined) return missing(command, "--out <dir>");
    const result = await importMoments({ model, files, layers, directory: out }, runtime.progress, runtime.signal);
    return printResult(runtime, options, result, () => describeCollected(result));
  }
  runtime.onStopped = async () => "The same command goes on from where the sums were last kept.";
  const loading = { model, applyDelta, removeDelta, weights };
  const asked = { ...loading, text, layers, maxLength, tokens, precision, directory: out };
  const result = await collectMoments(asked, runtime.progress, runtime.signal);
  printResult(runtime, options, result, () => describeCollected(result));
}

function missing(command: Command, option: string): never {
  return command.error(`error: required option '${option}' not specified`, { exitCode: 2 });
}

function describeCollected({ model, layers, directory }: CollectedMoments): string {
  const rows = layers.map(({ layer, tokens }) => [String(layer), String(tokens)]);
  const columns = ["layer", "tokens"].map((heading) => ({ heading, align: "right" as const }));
  return `${table(columns, rows)}\n\nSecond moments of ${model} are in ${directory}`;
}

async function list(options: MomentsCommandOptions, runtime: Runtime): Promise<void> {
  const listed = await listMoments(runtime.signal);
  printResult(runtime, options, listed, () => describeListedMoments(listed));
}

/** Fails when something is damaged, like the edit that would have used it would not. */
async function verify(options: MomentsCommandOptions, runtime: Runtime): Promise<void> {
  const verified = await verifyMoments(runtime.progress, runtime.signal);
  printResult(runtime, options, verified, () => {
    const { directory, entries, damaged } = verified;
    const found = damaged.map(({ path, reason }) => `Damaged and set aside: ${path} (${reason})`);
    const verdict = damaged.length === 0 ? ["Every entry is whole."] : found;
    return [describeListedMoments({ directory, entries }), ...verdict].join("\n\n");
  });
  if (verified.damaged.length > 0) process.exitCode = 1;
}

async function prune(options: MomentsCommandOptions, runtime: Runtime): Promise<void> {
  const pruned = await pruneMoments(runtime.signal);
  printResult(runtime, options, pruned, () => {
    const { directory, removed, bytes } = pruned;
    if (removed.length === 0) return `There is nothing to remove from ${directory}`;
    return `${describeListedMoments({ directory, entries: removed })}\n\nRemoved; ${(bytes / 2 ** 20).toFixed(1)} MiB are free again.`;
  });
}
