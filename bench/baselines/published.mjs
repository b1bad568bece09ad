import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { addon } from "../../dist/native/index.js";
import { generator } from "../layer.mjs";

/** What a benchmark says where the baseline cannot run. */
export const WITHOUT_PYTHON =
  "the published algebra is left out: python3 has no torch here (LYAPLOCK_PYTHON names another Python)";

/** Parts of a published batch that count: A's inverse by solve, the product with it, one loss by traces. */
export const countedSeconds = ({ solve, update, loss }) => solve + update + loss;

/**
 * The published algebra of one layer in PyTorch (published.py), in a process of its own with our number of threads, on the
 * same numbers.
 */
export class Published {
  /** @returns {Promise<Published | undefined>} undefined where there is no Python with torch. */
  static async start({ d, m }, { covariance, keySpace }) {
    const python = findPython();
    if (python === undefined) return undefined;
    const published = new Published(python);
    const values = await covariance.toFloat64Array();
    for (let i = 0; i < d; i++) values[i * d + i] += keySpace.ridge;
    const random = generator(11);
    const started = await published.ask({
      do: "begin",
      d,
      m,
      covariance: await published.file("covariance", values),
      weight: await published.file(
        "weight",
        Float64Array.from({ length: m * d }, () => 0.05 * random()),
      ),
      threads: addon().systemInfo().threads,
    });
    published.version = `PyTorch ${started.torch}, ${started.threads} threads`;
    return published;
  }

  constructor(python) {
    this.directory = mkdtempSync(path.join(tmpdir(), "lyaplock-bench-"));
    const script = fileURLToPath(new URL("published.py", import.meta.url));
    this.process = spawn(python, [script], { stdio: ["pipe", "pipe", "inherit"] });
    this.answers = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }

  /** Back to the unedited weight. */
  reset() {
    return this.ask({ do: "reset" });
  }

  /** Remembers the state for `recall`. */
  keep() {
    return this.ask({ do: "keep" });
  }

  /** Back to the state that was kept. */
  recall() {
    return this.ask({ do: "recall" });
  }

  /**
   * A batch, keys [u, d] and residuals [u, m].
   *
   * @returns {Promise<{ seconds: { solve, update, loss, rest }, preservationLoss: number }>}
   */
  async update({ keys, residuals }, facts, weight) {
    const answer = await this.ask({
      do: "update",
      keys: await this.file("keys", keys),
      residuals: await this.file("residuals", residuals),
      facts,
      weight,
    });
    await settle();
    return answer;
  }

  /** Takes in a batch that we solved: the state is then that after it, at the cost of two products. */
  async follow({ keys }, facts, drift) {
    await this.ask({
      do: "follow",
      keys: await this.file("keys", keys),
      facts,
      drift: await this.file("drift", await drift.toFloat64Array()),
    });
  }

  /** ‖D − D'‖ / ‖D'‖, D our drift and D' the published one. */
  async differenceTo(drift) {
    const file = await this.file("drift", await drift.toFloat64Array());
    const { difference } = await this.ask({ do: "compare", drift: file });
    await settle();
    return difference;
  }

  stop() {
    this.process.stdin.end();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async file(name, values) {
    const file = path.join(this.directory, name);
    await writeFile(file, values);
    return file;
  }

  async ask(request) {
    this.process.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.answers.next();
    if (done) throw new Error(`the published algebra stopped at "${request.do}"; what it said is above`);
    return JSON.parse(value);
  }
}

/** Threads that wait for more work spin for a moment; whoever is timed next shall have the cores. */
const settle = () => sleep(300);

function findPython() {
  const named = process.env.LYAPLOCK_PYTHON;
  const python = named ?? "python3";
  if (spawnSync(python, ["-c", "import torch"], { stdio: "ignore" }).status === 0) return python;
  if (named !== undefined) throw new Error(`LYAPLOCK_PYTHON is ${named}, which cannot import torch`);
  return undefined;
}
