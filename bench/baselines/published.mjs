import { addon } from "../../dist/native/index.js";
import { generator } from "../layer.mjs";
import { PythonProcess, without } from "./python-process.mjs";

/** What a benchmark says where the baseline cannot run. */
export const WITHOUT_PYTHON = without("torch");

/** Parts of a published batch that count: A's inverse by solve, the product with it, one loss by traces. */
export const countedSeconds = ({ solve, update, loss }) => solve + update + loss;

/**
 * The published algebra of one layer in PyTorch (published.py), in a process of its own with our number of threads, on the
 * same numbers.
 */
export class Published {
  /** @returns {Promise<Published | undefined>} undefined where there is no Python with torch. */
  static async start({ d, m }, { covariance, keySpace }) {
    const python = PythonProcess.start("published.py", ["torch"]);
    if (python === undefined) return undefined;
    const published = new Published(python);
    const values = await covariance.toFloat64Array();
    for (let i = 0; i < d; i++) values[i * d + i] += keySpace.ridge;
    const random = generator(11);
    const started = await python.ask({
      do: "begin",
      d,
      m,
      covariance: await python.send("covariance", values),
      weight: await python.send(
        "weight",
        Float64Array.from({ length: m * d }, () => 0.05 * random()),
      ),
      threads: addon().systemInfo().threads,
    });
    published.version = `PyTorch ${started.torch}, ${started.threads} threads`;
    return published;
  }

  constructor(python) {
    this.python = python;
  }

  /** Back to the unedited weight. */
  reset() {
    return this.python.ask({ do: "reset" });
  }

  /** Remembers the state for `recall`. */
  keep() {
    return this.python.ask({ do: "keep" });
  }

  /** Back to the state that was kept. */
  recall() {
    return this.python.ask({ do: "recall" });
  }

  /**
   * A batch, keys [u, d] and residuals [u, m].
   *
   * @returns {Promise<{ seconds: { solve, update, loss, rest }, preservationLoss: number }>}
   */
  async update({ keys, residuals }, facts, weight) {
    return this.python.askAndSettle({
      do: "update",
      keys: await this.python.send("keys", keys),
      residuals: await this.python.send("residuals", residuals),
      facts,
      weight,
    });
  }

  /** Takes in a batch that we solved: the state is then that after it, at the cost of two products. */
  async follow({ keys }, facts, drift) {
    await this.python.ask({
      do: "follow",
      keys: await this.python.send("keys", keys),
      facts,
      drift: await this.python.send("drift", await drift.toFloat64Array()),
    });
  }

  /** ‖D − D'‖ / ‖D'‖, D our drift and D' the published one. */
  async differenceTo(drift) {
    const file = await this.python.send("drift", await drift.toFloat64Array());
    const { difference } = await this.python.askAndSettle({ do: "compare", drift: file });
    return difference;
  }

  stop() {
    this.python.stop();
  }
}
