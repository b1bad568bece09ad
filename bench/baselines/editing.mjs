import { addon } from "../../dist/native/index.js";
import { PythonProcess, without } from "./python-process.mjs";

/** What a benchmark says where the baseline cannot run. */
export const WITHOUT_TRANSFORMERS = without("torch", "transformers");

/**
 * The published procedure on a whole model, in PyTorch and transformers (editing.py), in a process of its own with our number
 * of threads.
 */
export class PublishedEditing {
  /**
   * @param options.directory of the model, as transformers loads it.
   * @param options.facts {Fact[]} of a batch. @param options.contexts {ContextTemplates}
   * @param options.hparams in the published JSON names, with the module names. @param options.alpha
   * @param options.covariances {Float64Array[]} C [d, d] of each edited layer, rising.
   * @returns {Promise<PublishedEditing | undefined>} undefined where there is no Python with torch and transformers.
   */
  static async start({ directory, facts, contexts, hparams, alpha, covariances }) {
    const python = PythonProcess.start("editing.py", ["torch", "transformers"]);
    if (python === undefined) return undefined;
    const moments = [];
    for (const [i, values] of covariances.entries()) moments.push(await python.send(`moment.${i}`, values));
    const { torch, transformers, threads } = await python.ask({
      do: "begin",
      model: directory,
      templates: contexts,
      hparams,
      facts: facts.map(writtenFact),
      alpha,
      moments,
      threads: addon().systemInfo().threads,
    });
    return new PublishedEditing(
      python,
      hparams.layers,
      `PyTorch ${torch}, transformers ${transformers}, ${threads} threads`,
    );
  }

  constructor(python, layers, version) {
    this.python = python;
    this.layers = layers;
    this.version = version;
  }

  /** Goes on with other facts. */
  choose(facts) {
    return this.python.ask({ do: "choose", facts: facts.map(writtenFact) });
  }

  /**
   * The value of one fact alone (reference, section 6), by its number.
   *
   * @returns {Promise<{ seconds: number, value: number[], losses: number[], iterations: number }>}
   */
  value(fact) {
    return this.python.askAndSettle({ do: "value", fact });
  }

  /**
   * Keys [u, d] and residuals [u, m] of every edited layer, for values [u, m] float32 of all facts; with `update` each layer
   * is edited before the next one is read (sections 7 to 9).
   *
   * @returns {Promise<{ seconds: { keys: number, updates: number }, preservationLosses: number[], queues: number[], layers:
   *   { layer: number, keys: Float64Array, residuals: Float64Array }[] }>}
   */
  async batch(values, { update }) {
    const into = this.python.file("batch");
    const answer = await this.python.askAndSettle({
      do: "batch",
      values: await this.python.send("values", values),
      update,
      into,
    });
    const layers = [];
    for (const layer of this.layers) {
      layers.push({
        layer,
        keys: await this.python.receive(`batch.${layer}.keys`, Float64Array),
        residuals: await this.python.receive(`batch.${layer}.residuals`, Float64Array),
      });
    }
    return { ...answer, layers };
  }

  /** The edited weights [m, d] as they are, Float32Array by layer. */
  async weights() {
    await this.python.ask({ do: "weights", into: this.python.file("edited") });
    const weights = new Map();
    for (const layer of this.layers) {
      weights.set(layer, await this.python.receive(`edited.${layer}.weight`, Float32Array));
    }
    return weights;
  }

  /** Back to the unedited model. */
  reset() {
    return this.python.ask({ do: "reset" });
  }

  /** Mean of −log p per token of the targets of every fact, after its prompt: { target_new, target_true } each. */
  async scores() {
    return (await this.python.ask({ do: "scores" })).scores;
  }

  /**
   * The seconds it takes to compute logits at every token of sequences of one length.
   *
   * @param tokens {Int32Array} [rows, cols]
   */
  async forward(tokens, rows, cols) {
    const { seconds } = await this.python.askAndSettle(await this.forwardRequest(tokens, rows, cols));
    return seconds;
  }

  /** Those logits, [rows · cols, vocabulary]. */
  async logits(tokens, rows, cols) {
    await this.python.ask({ ...(await this.forwardRequest(tokens, rows, cols)), into: this.python.file("logits") });
    return this.python.receive("logits", Float32Array);
  }

  async forwardRequest(tokens, rows, cols) {
    return { do: "forward", tokens: await this.python.send("tokens", tokens), rows, cols, into: null };
  }

  /** Greedy continuations: { prompt: ids, tokens: ids, margins: in logits, to the runner-up } each. */
  async continuations(prompts, tokens) {
    return (await this.python.ask({ do: "continuations", prompts, tokens })).continuations;
  }

  /**
   * Perplexity of the first tokens of a text file, in windows that do not overlap.
   *
   * @returns {Promise<{ perplexity: number, predicted: number, ids: Int32Array }>}
   */
  async perplexity(text, tokens, window) {
    const into = this.python.file("ids");
    const answer = await this.python.ask({ do: "perplexity", text, tokens, window, into });
    return { ...answer, ids: await this.python.receive("ids", Int32Array) };
  }

  stop() {
    this.python.stop();
  }
}

const writtenFact = ({ prompt, subject, targetNew, targetTrue }) => ({
  prompt,
  subject,
  target_new: targetNew,
  target_true: targetTrue,
});
