import { Command } from "commander";
import { addDemoCommand } from "./demo.js";
import { addDoctorCommand } from "./doctor.js";
import { addEditCommand } from "./edit.js";
import { addEvalCommand } from "./eval.js";
import { addGenerateCommand } from "./generate.js";
import { addLogitsCommand } from "./logits.js";
import { addModelsCommand } from "./models.js";
import { addMomentsCommand } from "./moments.js";
import { addPlanCommand } from "./plan.js";
import { addReportCommand } from "./report.js";
import { addRunCommand } from "./run.js";
import { type ConfigurationOptions, configure, type Runtime } from "./runtime.js";
import { addTraceCommand } from "./trace.js";

/** All commands, in the order in which a newcomer meets them. */
export function createProgram(runtime: Runtime, version: string): Command {
  const program = new Command("lyaplock")
    .description(
      "Edits thousands of facts in a language model, one batch after the other, and keeps what the model already knew " +
        "within a bound.\n\nBegin with: lyaplock demo",
    )
    .version(version)
    .exitOverride()
    .showHelpAfterError("(--help shows what can be given)")
    .addHelpText(
      "after",
      "\nResults go to stdout, progress to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 stopped by --stop-on-collapse, 130 by Ctrl-C.",
    )
    .hook("preAction", (_program, command) => configure(command.opts<ConfigurationOptions>()));
  addDemoCommand(program, runtime);
  addEditCommand(program, runtime);
  addRunCommand(program, runtime);
  addReportCommand(program, runtime);
  addEvalCommand(program, runtime);
  addMomentsCommand(program, runtime);
  addTraceCommand(program, runtime);
  addLogitsCommand(program, runtime);
  addGenerateCommand(program, runtime);
  addModelsCommand(program, runtime);
  addPlanCommand(program, runtime);
  addDoctorCommand(program, runtime);
  return program;
}
