import { rm } from "node:fs/promises";
import { writeJson } from "../base/files.js";
import type { BatchReport } from "../edit/report.js";
import { LyaplockError } from "../errors.js";
import type { CaseScores } from "../evaluate/index.js";
import { alarmInWords, alarmsAfter, isCollapse } from "./alarms.js";
import { type BatchLine, batchLine } from "./batch-line.js";
import { Checkpoint } from "./checkpoint.js";
import { readEditRecord, recordEdits, saveEditedModel } from "./edited-model.js";
import { evaluateInChunks } from "./evaluation.js";
import { lastOf } from "./evaluation-line.js";
import { dueAfter } from "./evaluation-schedule.js";
import type { RunEvents } from "./events.js";
import { chooseExamples, type ExampleSet, keepAfter, keepBefore } from "./examples.js";
import { JsonLines, readAllJsonLines } from "./json-lines.js";
import { measureRecall } from "./recall.js";
import type { SessionOptions } from "./request.js";
import type { RunDirectory } from "./run-directory.js";
import { RunEvaluations } from "./run-evaluations.js";
import type { RunInputs } from "./run-inputs.js";
import type { Stopwatch } from "./seconds.js";
import {
  type CaseLine,
  caseLine,
  glueOf,
  knowledgeOf,
  metricsAfter,
  metricsBefore,
  metricsByBatch,
  perplexityOf,
  type Summary,
} from "./summary.js";

/** One process's share of a run: from wherever the checkpoint is to the end. Every step finds out whether it is done. */
export class Session {
  constructor(
    private readonly directory: RunDirectory,
    private readonly inputs: RunInputs,
    private readonly stopwatch: Stopwatch,
    private readonly events: RunEvents,
    private readonly signal: AbortSignal | undefined,
    private readonly options: SessionOptions,
  ) {}

  async finish(): Promise<void> {
    const checkpoint = await Checkpoint.open(this.directory.checkpoint);
    this.stopwatch.continueFrom(checkpoint.state.seconds);

    for (const [path, set] of this.exampleSets()) await keepBefore(path, this.inputs.model, set, this.signal);
    const before = this.inputs.record.asked.metricsBefore ? await this.evaluateBefore(checkpoint) : undefined;
    const evaluations = await this.openEvaluations(checkpoint);
    try {
      await this.finishWith(checkpoint, before, evaluations);
    } finally {
      await evaluations.close();
    }
  }

  private async finishWith(
    checkpoint: Checkpoint,
    before: CaseScores[] | undefined,
    evaluations: RunEvaluations,
  ): Promise<void> {
    const layers = await this.edit(checkpoint, evaluations);
    await this.saveModel(layers);
    for (const [path, set] of this.exampleSets()) await keepAfter(path, this.inputs.model, set, this.signal);
    const cases = await this.evaluateAfter(checkpoint, before);
    await evaluations.endMetrics(cases.map(({ caseId, after }) => ({ caseId, ...after })));

    const summary: Summary = {
      method: this.inputs.record.method.name,
      edits: this.inputs.records.length,
      before: metricsBefore(cases),
      after: metricsAfter(cases),
      byBatch: metricsByBatch(cases, this.inputs.record.asked.batch),
      glue: glueOf(lastOf(evaluations.lines, "glue")),
      perplexity: perplexityOf(lastOf(evaluations.lines, "perplexity")),
      knowledge: knowledgeOf(lastOf(evaluations.lines, "knowledge")),
      seconds: this.stopwatch.read(),
      layers,
    };
    await writeJson(this.directory.summary, summary);
  }

  private openEvaluations(checkpoint: Checkpoint): Promise<RunEvaluations> {
    return RunEvaluations.open(this.directory.evaluations, checkpoint.state.lines.evaluations, {
      ...{ inputs: this.inputs, events: this.events, signal: this.signal },
      commit: (bytes, seconds) => {
        this.stopwatch.add("evaluation", seconds);
        return this.commitLines(checkpoint, { evaluations: bytes });
      },
    });
  }

  /** Each with its file. */
  private exampleSets(): [path: string, set: ExampleSet][] {
    const { records, caseStudy } = this.inputs;
    const examples: [string, ExampleSet] = [this.directory.examples, chooseExamples(records)];
    return caseStudy === null ? [examples] : [examples, [this.directory.caseStudy, caseStudy]];
  }

  private async evaluateBefore(checkpoint: Checkpoint): Promise<CaseScores[]> {
    const lines = await JsonLines.open(checkpoint.before, checkpoint.state.lines.before);
    try {
      const scores = await readAllJsonLines<CaseScores>(checkpoint.before);
      if (scores.length === this.inputs.records.length) return scores;
      await this.evaluate("metrics before", scores.length, async (chunk) => {
        await lines.append(chunk);
        scores.push(...chunk);
        await this.commitLines(checkpoint, { before: lines.bytes });
      });
      return scores;
    } finally {
      await lines.close();
    }
  }

  /** Edits what is not yet edited, and returns how the layers stand after the last batch. */
  private async edit(checkpoint: Checkpoint, evaluations: RunEvaluations): Promise<BatchLine["layers"]> {
    const { editor, records } = this.inputs;
    const lines = await JsonLines.open(this.directory.batches, checkpoint.state.lines.batches);
    try {
      await checkpoint.restore(editor);
      const size = this.inputs.record.asked.batch;
      const written = await readAllJsonLines<BatchLine>(this.directory.batches);
      const done = checkpoint.state.editor?.edits ?? 0;
      if (done < records.length) await evaluations.measureDue(done);
      for (let start = done; start < records.length; start += size) {
        const report = await this.editBatch(start, size);
        const line = await this.judge(report, written);
        await lines.append([line]);
        await checkpoint.commitBatch(editor, {
          lines: { ...checkpoint.state.lines, batches: lines.bytes },
          seconds: this.stopwatch.read(),
        });
        written.push(line);
        this.events.onBatch?.({ ...line, values: report.values });
        if (this.options.stopOnCollapse) refuseCollapse(line);
        if (report.edits < records.length) await evaluations.measureDue(report.edits);
      }
      // Not in the checkpoint: one who resumes after the last batch does it again.
      const finished = await this.stopwatch.time("updates", () => editor.finish());
      await evaluations.measureDue(records.length);
      return finished.length > 0 ? finished : (written.at(-1)?.layers ?? []);
    } finally {
      await lines.close();
    }
  }

  private async editBatch(start: number, size: number): Promise<BatchReport> {
    const { editor, records } = this.inputs;
    const batch = `batch ${Math.floor(start / size) + 1} of ${Math.ceil(records.length / size)}`;
    const tell = (detail: string, done: number) =>
      this.events.onProgress?.({ stage: "editing", detail, done, of: records.length, unit: "facts" });
    tell(batch, start);
    const report = await editor.editBatch(records.slice(start, start + size), {
      signal: this.signal,
      // Values take nearly all the time, so they are what moves the bar.
      onProgress: ({ phase, layer, facts }) =>
        phase === "values"
          ? tell(`${batch}: values`, start + facts)
          : tell(
              `${batch}: ${phase}${layer === undefined ? "" : `, layer ${layer}`}`,
              Math.min(start + size, records.length),
            ),
    });
    this.stopwatch.add("values", report.seconds.values);
    this.stopwatch.add("keys", report.seconds.keys);
    this.stopwatch.add("updates", report.seconds.updates);
    return report;
  }

  /** The line of a batch that has just been edited, after those of all batches before it. */
  private async judge(report: BatchReport, written: readonly BatchLine[]): Promise<BatchLine> {
    const { model, records, record, measures } = this.inputs;
    const line = batchLine(report);
    const { watched, stopOnCollapse } = this.options;
    if (watched || stopOnCollapse || dueAfter(line.edits, records.length, record.asked).includes("metrics")) {
      const begun = performance.now();
      line.recalled = await measureRecall(model, records.slice(0, line.edits), measures, this.signal);
      line.seconds.evaluation = (performance.now() - begun) / 1000;
      this.stopwatch.add("evaluation", line.seconds.evaluation);
    }
    const alarms = alarmsAfter([...written, line]);
    return alarms.length === 0 ? line : { ...line, alarms };
  }

  private async saveModel(layers: BatchLine["layers"]): Promise<void> {
    if ((await readEditRecord(this.directory.model)) !== undefined) return;
    await rm(this.directory.model, { recursive: true, force: true }); // saved, but killed before its record
    const { model, record, records } = this.inputs;
    await this.stopwatch.time("saving", async () => {
      const edits = await recordEdits(model, {
        original: { ...record.model, source: model.source },
        method: record.method,
        hyperparameters: record.hyperparameters,
        edits: records.length,
        skipped: record.skipped,
        layers,
      });
      await saveEditedModel(model, this.directory.model, edits, record.asked.dtype);
    });
  }

  private async evaluateAfter(checkpoint: Checkpoint, before: CaseScores[] | undefined): Promise<CaseLine[]> {
    const lines = await JsonLines.open(this.directory.cases, checkpoint.state.lines.cases);
    try {
      const cases = await readAllJsonLines<CaseLine>(this.directory.cases);
      if (cases.length === this.inputs.records.length) return cases;
      await this.evaluate("metrics after", cases.length, async (chunk) => {
        const next = chunk.map((after, index) => caseLine(before?.[cases.length + index], after));
        await lines.append(next);
        cases.push(...next);
        await this.commitLines(checkpoint, { cases: lines.bytes });
      });
      return cases;
    } finally {
      await lines.close();
    }
  }

  private async evaluate(
    stage: string,
    start: number,
    onChunk: (scores: CaseScores[]) => Promise<void>,
  ): Promise<void> {
    const { model, records } = this.inputs;
    let last = performance.now();
    await evaluateInChunks(
      model,
      records,
      { start, stage, measures: this.inputs.measures, events: this.events, signal: this.signal },
      async (chunk) => {
        const now = performance.now();
        this.stopwatch.add("evaluation", (now - last) / 1000);
        last = now;
        await onChunk(chunk);
      },
    );
  }

  private commitLines(checkpoint: Checkpoint, lengths: Partial<typeof checkpoint.state.lines>): Promise<void> {
    return checkpoint.commit({
      lines: { ...checkpoint.state.lines, ...lengths },
      seconds: this.stopwatch.read(),
    });
  }
}

function refuseCollapse({ batch, edits, alarms = [] }: BatchLine): void {
  const collapses = alarms.filter(isCollapse);
  if (collapses.length === 0) return;
  const what = `The run was stopped after batch ${batch} (${edits} edits), for ${collapses.map(alarmInWords).join("; ")}.`;
  throw new LyaplockError("ERR_COLLAPSE", `${what} Its checkpoint has that batch, and --resume goes on after it.`);
}
