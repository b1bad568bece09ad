import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

it("the soak notices a leak that was planted", () => {
  const soak = fileURLToPath(new URL("soak.mjs", import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, ["--expose-gc", soak, "--minutes", "0.3", "--plant-leak"], {
    encoding: "utf8",
  });
  expect(stdout).toContain("it GREW");
  expect(status).toBe(1);
});
