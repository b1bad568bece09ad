import { readFile } from "node:fs/promises";
import { addon } from "../native/index.js";
import type { Environment } from "./run-record.js";

export async function currentEnvironment(): Promise<Environment> {
  const { backend, threads } = addon().systemInfo();
  return { lyaplock: await packageVersion(), node: process.versions.node, device: addon().device, backend, threads };
}

/** The version in the package.json this code was installed with. */
export async function packageVersion(): Promise<string> {
  const content = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(content) as { version: string }).version;
}
