// Runs tests of TypeScript for scripts that have to know how many there were.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * @param files {string[]} or parts of their names
 * @param env {Record<string, string>} besides the process's own
 * @param timeout {number} of each test, in seconds
 * @returns {{ code: number, passed: number, failed: number }} Files that could not be run count as failed tests.
 */
export function runVitest(files, { env = {}, timeout = 180 } = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), "lyaplock-vitest-"));
  const report = path.join(folder, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const vitest = path.join(root, "node_modules/vitest/vitest.mjs");
  try {
    const { status } = spawnSync(
      process.execPath,
      [vitest, "run", ...files, ...reporters, `--testTimeout=${1000 * timeout}`],
      { cwd: root, stdio: "inherit", env: { ...process.env, ...env } },
    );
    if (!existsSync(report)) return { code: status || 1, passed: 0, failed: 1 };
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8"));
    return { code: status ?? 1, passed: numPassedTests, failed: Math.max(numFailedTests, status === 0 ? 0 : 1) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
