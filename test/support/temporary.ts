import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, onTestFinished } from "vitest";

/** A fresh directory that is gone when the test that asked for it has finished. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "lyaplock-test-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The same for a whole file of tests; to be called at its top. */
export async function makeTemporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "lyaplock-test-"));
  afterAll(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
