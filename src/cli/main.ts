#!/usr/bin/env node
import { CommanderError } from "commander";
import { LyaplockError } from "../errors.js";
import { packageVersion } from "../run/index.js";
import { createProgram } from "./program.js";
import { ProgressDisplay } from "./progress.js";
import type { Runtime } from "./runtime.js";

const stop = new AbortController();
const runtime: Runtime = {
  progress: new ProgressDisplay(),
  signal: stop.signal,
  print: (text) => process.stdout.write(text),
};

/** The first signal stops at the next safe point, the second at once: whatever is on the disk is whole at any moment. */
function stopOn(signal: NodeJS.Signals, exitCode: number): void {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(exitCode);
    runtime.progress.onNote("Stopping. Once more stops at once.");
    stop.abort(exitCode);
  });
}
stopOn("SIGINT", 130);
stopOn("SIGTERM", 143);

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

try {
  await createProgram(runtime, await packageVersion()).parseAsync();
  runtime.progress.finish();
} catch (error) {
  runtime.progress.finish();
  process.exitCode = await tell(error);
}

/** The one place where errors become words and exit codes. */
async function tell(error: unknown): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has said it already
  if (stop.signal.aborted) {
    process.stderr.write(`Stopped. ${(await runtime.onStopped?.()) ?? ""}\n`);
    return stop.signal.reason as number;
  }
  const code = error instanceof LyaplockError ? error.code : "ERR_INTERNAL";
  const message = error instanceof Error ? error.message : String(error);
  if (process.argv.includes("--json")) runtime.print(`${JSON.stringify({ error: { code, message } })}\n`);
  process.stderr.write(`lyaplock: ${message} (${code})\n`);
  if (code === "ERR_COLLAPSE") {
    process.stderr.write(`${(await runtime.onStopped?.()) ?? ""}\n`);
    return 3;
  }
  if (code === "ERR_INTERNAL" && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return 1;
}
