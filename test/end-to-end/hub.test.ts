import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { COMMIT, TestHub } from "../support/hub.js";
import { officialPath } from "../support/official.js";
import { temporaryDirectory } from "../support/temporary.js";
import { lyaplock, lyaplockJson } from "./command.js";
import { editingArguments, factsFile } from "./tiny.js";

it("a run of a model on the hub is pinned to its commit, and resumed with it whatever the branch has become", async () => {
  const hub = await TestHub.serving(officialPath("tiny-llama", "model"));
  const env = { HF_ENDPOINT: process.env.HF_ENDPOINT!, LYAPLOCK_CACHE: process.env.LYAPLOCK_CACHE! };
  const directory = await temporaryDirectory();
  const args = await editingArguments("tiny-llama", directory);
  args.splice(args.indexOf("--model"), 2, "--model", hub.repository);
  const out = join(directory, "run");
  const dataset = `counterfact:${factsFile("tiny-llama")}`;
  const run = ["run", ...args, "--dataset", dataset, "--edits", "4", "--out", out];
  const { code, stderr } = await lyaplock(run, { env });
  expect(code).toBe(0);
  expect(stderr).toContain("download of weights");
  const { asked } = JSON.parse(await readFile(join(out, "run.json"), "utf8"));
  expect(asked.model).toBe(`${hub.repository}@${COMMIT}`);

  await rm(join(out, "summary.json")); // as if it had been killed before
  hub.revisions.main = "f".repeat(40);
  expect((await lyaplock(["run", "--out", out, "--resume"], { env })).code).toBe(0);

  const saved = await lyaplockJson<object[]>(["logits", "--model", join(out, "model"), "--prompt", "I"], { env });
  expect(saved).toHaveLength(10);
});
