import { type CaseScores, evaluateGlue, knowledge, perplexity, summarize } from "../evaluate/index.js";
import { evaluateInChunks, glueProgress, knowledgeProgress } from "./evaluation.js";
import { type EvaluationLine, type Measured, readEvaluations } from "./evaluation-line.js";
import { dueAfter } from "./evaluation-schedule.js";
import type { RunEvents } from "./events.js";
import { JsonLines } from "./json-lines.js";
import type { RunInputs } from "./run-inputs.js";

export interface RunEvaluationsOptions {
  inputs: RunInputs;
  events: RunEvents;
  signal: AbortSignal | undefined;
  /** Makes the file's length part of the run, after so many seconds of measuring. */
  commit(bytes: number, seconds: number): Promise<void>;
}

/** evaluations.jsonl, and what is measured for it. Whatever is due is measured once, however often the run is interrupted. */
export class RunEvaluations {
  private constructor(
    private readonly file: JsonLines,
    private readonly written: EvaluationLine[],
    private readonly options: RunEvaluationsOptions,
  ) {}

  /** @param keep Bytes of the file that are part of the run. */
  static async open(path: string, keep: number, options: RunEvaluationsOptions): Promise<RunEvaluations> {
    const file = await JsonLines.open(path, keep);
    try {
      return new RunEvaluations(file, await readEvaluations(path), options);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get lines(): readonly EvaluationLine[] {
    return this.written;
  }

  /** Measures what is due after so many edits and has not been measured; the model has these edits. */
  async measureDue(edits: number): Promise<void> {
    const { records, record } = this.options.inputs;
    for (const kind of dueAfter(edits, records.length, record.asked)) {
      if (this.has(edits, kind)) continue;
      const begun = performance.now();
      const measured = await this.measure(kind, edits);
      await this.append({ edits, seconds: (performance.now() - begun) / 1000, ...measured });
    }
  }

  /** Metrics over time end with those of all facts, which were measured for their own sake. */
  async endMetrics(cases: readonly CaseScores[]): Promise<void> {
    const edits = cases.length;
    if (this.options.inputs.record.asked.evalEvery === null || this.has(edits, "metrics")) return;
    await this.append({ edits, seconds: 0, ...this.metricsOf(cases) });
  }

  close(): Promise<void> {
    return this.file.close();
  }

  private has(edits: number, kind: Measured["kind"]): boolean {
    return this.written.some((line) => line.edits === edits && line.kind === kind);
  }

  private async measure(kind: Measured["kind"], edits: number): Promise<Measured> {
    const { inputs, events, signal } = this.options;
    const { model, records, measured, record } = inputs;
    if (kind === "glue") {
      const { publishedRteLabels } = record.asked;
      const options = { publishedRteLabels, signal, onProgress: glueProgress(events) };
      const { f1, f1New, tasks } = await evaluateGlue(model, measured.glue!, options);
      return { kind, f1, f1New, tasks };
    }
    if (kind === "perplexity") return { kind, ...(await perplexity(model, measured.text!, { signal })) };
    if (kind === "knowledge") {
      const facts = measured.knowledge!;
      return {
        kind,
        ...(await knowledge(model, facts, { signal, onProgress: knowledgeProgress(facts.length, events) })),
      };
    }
    const cases: CaseScores[] = [];
    const options = { start: 0, stage: `metrics after ${edits} edits`, events, signal };
    await evaluateInChunks(model, records.slice(0, edits), options, async (chunk) => {
      cases.push(...chunk);
    });
    return this.metricsOf(cases);
  }

  private metricsOf(cases: readonly CaseScores[]): Measured {
    const firstBatch = cases.slice(0, this.options.inputs.record.asked.batch);
    return { kind: "metrics", metrics: summarize(cases), firstBatch: summarize(firstBatch) };
  }

  private async append(line: EvaluationLine): Promise<void> {
    await this.file.append([line]);
    await this.options.commit(this.file.bytes, line.seconds);
    this.written.push(line);
    this.options.events.onEvaluation?.(line);
  }
}
