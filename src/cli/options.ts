import { type Command, InvalidArgumentError, Option } from "commander";
import { lyapLockBases, lyapLockBounds } from "../edit/methods/index.js";
import type { ProductInputs, SolvePrecision, WeightType } from "../native/addon.js";
import type { Device } from "../native/index.js";
import { type MethodName, methodNames } from "../run/index.js";

/** Options of every command. */
export interface CommonOptions {
  device: Device;
  threads?: number;
  matmul?: ProductInputs;
  solve?: SolvePrecision;
  json?: boolean;
}

/** Options of the commands that edit. Left undefined where not given, so that a resumed run knows the difference. */
export interface EditingOptions extends CommonOptions {
  method?: MethodName;
  alpha?: number;
  base?: (typeof lyapLockBases)[number];
  bound?: (typeof lyapLockBounds)[number];
  batch?: number;
  layers?: number[] | "auto";
  known?: string;
  hparams?: string;
  contextTemplates?: string;
  moments?: string;
  text?: string[];
  seed?: number;
  skipBad?: boolean;
}

/** @param device - In place of the option that every other command has. */
export function addCommonOptions(command: Command, device = deviceOption("where to compute")): Command {
  return command
    .addOption(device)
    .addOption(new Option("--threads <n>", "CPU threads (default: one per core)").argParser(positiveInteger))
    .addOption(
      new Option(
        "--matmul <type>",
        "inputs of float32 products on a GPU; tf32 and bf16 round them, and are faster (default: f32)",
      ).choices(["f32", "tf32", "bf16"]),
    )
    .addOption(
      new Option(
        "--solve <type>",
        "float64 systems on a GPU; refined factors in float32 and refines to the same accuracy, for GPUs whose float64 is slow (default: f64)",
      ).choices(["f64", "refined"]),
    )
    .option("--json", "print the result as JSON on stdout");
}

/** @param more - Than those that this process can compute on. */
export function deviceOption(description: string, more: readonly string[] = []): Option {
  return new Option("--device <name>", description).choices(["auto", "cpu", "cuda", ...more]).default("auto");
}

/** Which model a command works on. */
export interface ModelOptions {
  model: string;
  applyDelta?: string[];
  removeDelta?: string[];
  weights?: WeightType;
}

export function addModelOption(command: Command): Command {
  return addLoadingOptions(command.addOption(modelOption().makeOptionMandatory()));
}

export function addLoadingOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--weights <type>",
        "how weights are held in memory; bf16 takes half of it, and rounds what is not bfloat16 (default: f32)",
      ).choices(["f32", "bf16"]),
    )
    .option(
      "--apply-delta <file...>",
      "edits to put on the model, written by edit --delta: the edited weights to the bit",
    )
    .option("--remove-delta <file...>", "edits to take off the model: the weights before them to the bit");
}

export function dtypeOption(): Option {
  return new Option(
    "--dtype <type>",
    "of the edited matrices in the saved model; f32 keeps every bit (default: as-is, that of the checkpoint)",
  ).choices(["as-is", "f32", "f16", "bf16"]);
}

export function modelOption(): Option {
  const sources =
    "builtin:atlas, smollm2-135m (see: lyaplock models), a .gguf file, a directory with config.json and safetensors, or " +
    "org/name[@revision] on the hub";
  return new Option("--model <source>", sources);
}

export function addEditingOptions(command: Command): Command {
  return command
    .addOption(methodOption())
    .addOption(
      new Option(
        "--alpha <x>",
        "preservation threshold, as a multiple of the loss after the first batch (default: that of the hyperparameters, or 60)",
      ).argParser(numberFromOne),
    )
    .addOption(new Option("--base <name>", "a method to combine lyaplock with").choices(lyapLockBases))
    .addOption(
      new Option(
        "--bound <what>",
        "what lyaplock holds at or under its threshold: the average of the loss over batches, or the loss after each (default: average)",
      ).choices(lyapLockBounds),
    )
    .addOption(new Option("--batch <n>", "facts edited together (default: 100)").argParser(positiveInteger))
    .addOption(
      new Option(
        "--layers <list>",
        "layers to edit, in place of those in the hyperparameters: 2,3,4 or 2-4, from 0; auto: those that tracing suggests",
      ).argParser((text: string) => (text === "auto" ? text : layerList(text))),
    )
    .option("--known <file>", "known facts that --layers auto traces, as for trace (default: the model's own)")
    .option("--hparams <file>", "hyperparameters, under the names of the published JSON files")
    .option(
      "--context-templates <file>",
      "JSON: groups of texts with {} for the prompt (default: sampled from the model)",
    )
    .option("--text <file...>", "texts to collect second moments from, once: a text a line, or a JSON array of strings")
    .option("--moments <dir>", "second moments collected before: layer-<i>.safetensors")
    .addOption(seedOption())
    .option("--skip-bad", "leave out facts that cannot be edited, and record them, instead of stopping");
}

export function datasetOption(): Option {
  return new Option(
    "--dataset <name>",
    "atlas, counterfact:FILE (any of its formats) or zsre:FILE (as MEND has split it)",
  );
}

export function offsetOption(): Option {
  return new Option("--offset <n>", "facts to leave out before those (default: 0)").argParser(wholeNumber);
}

export function shuffleOption(): Option {
  return new Option("--shuffle", "take the facts in an order drawn with --seed, in place of the file's");
}

export function publishedZsreOption(): Option {
  return new Option(
    "--published-zsre",
    "score ZsRE with the accidents of the published code, which concern models with a BOS, to compare numbers",
  );
}

export function fluencyOption(): Option {
  return new Option("--fluency", "generate text from the facts that have prompts for it, and measure it; takes long");
}

export function consistencyOption(): Option {
  return new Option(
    "--consistency <dir>",
    "compare generated text with reference texts: attribute_snippets.json, tfidf_vocab.json, idf.npy; measures fluency too",
  );
}

export function methodOption(): Option {
  return new Option("--method <name>", "editing method (default: lyaplock)").choices(methodNames);
}

export function seedOption(): Option {
  return new Option("--seed <n>", "seed of everything drawn at random (default: 42)").argParser(wholeNumber);
}

export function glueOption(description: string): Option {
  const files = "items 10 to 109 of sst2, mrpc, cola, rte, nli and mmlu.json in a directory";
  return new Option("--glue <dir>", `${description}: ${files}`);
}

export function knowledgeOption(description: string): Option {
  return new Option(
    "--knowledge <file>",
    `${description}: known facts (known_id, prompt, subject, attribute), or atlas`,
  );
}

export function publishedRteOption(): Option {
  return new Option("--published-rte-labels", "take RTE's labels the wrong way round, as the published results do");
}

export function layersOption(description: string): Option {
  return new Option("--layers <list>", `${description}: 2,3,4 or 2-4, from 0`).argParser(layerList);
}

export function positiveInteger(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) < 1 || !Number.isSafeInteger(Number(text))) {
    throw new InvalidArgumentError("Expected a whole number from 1.");
  }
  return Number(text);
}

export function portNumber(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) > 65535) throw new InvalidArgumentError("Expected a port, 1 to 65535.");
  return Number(text);
}

export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw new InvalidArgumentError("Expected a whole number from 0.");
  }
  return Number(text);
}

export function numberFromOne(text: string): number {
  const number = Number(text);
  if (text.trim() === "" || !(number >= 1) || !Number.isFinite(number)) {
    throw new InvalidArgumentError("Expected a number, 1 or more.");
  }
  return number;
}

/** "2,3,4", "2-4", "0,2-4": rising, without repetition. */
export function layerList(text: string): number[] {
  const layers = text.split(",").flatMap(layerRange);
  if (layers.some((layer, index) => index > 0 && layer <= layers[index - 1]!)) {
    throw new InvalidArgumentError("Layers must rise, each once.");
  }
  return layers;
}

function layerRange(text: string): number[] {
  const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(text.trim());
  if (match === null) throw new InvalidArgumentError("Expected layers like 2,3,4 or 2-4.");
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  if (last < first) throw new InvalidArgumentError("Expected layers like 2,3,4 or 2-4.");
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
