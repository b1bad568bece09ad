import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { temporaryDirectory } from "../support/temporary.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

it("the library example of the README runs as it is printed", async () => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const [, example] = /```js\n(.*?)```/s.exec(readme) ?? [];
  const out = join(await temporaryDirectory(), "edited");
  expect(example).toContain('model.save("edited")');

  // Only its output goes elsewhere. Evaluated code resolves "lyaplock" from the working directory, which is the package.
  const code = example!.replace('"edited"', JSON.stringify(out));
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", code], {
    cwd: root,
  });
  expect(Number(stdout)).toBeGreaterThan(0);
  expect(await readdir(out)).toContain("model.safetensors");
});

it("every command of the README is there", async () => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const named = [...readme.matchAll(/`lyaplock (\w+)/g)].map(([, name]) => name);
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, "dist/cli/main.js"), "--help"]);
  const known = [...stdout.matchAll(/^ {2}(\w+) \[options\]/gm)].map(([, name]) => name);
  expect(new Set(named)).toEqual(new Set(known));
});
