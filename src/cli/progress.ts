import type { WriteStream } from "node:tty";
import { Presets, SingleBar } from "cli-progress";
import { batchHeading, batchRow, describeEvaluationLine } from "../report/index.js";
import type { Progress, RunEvents } from "../run/events.js";
import { alarmInWords, type EvaluationLine, type FinishedBatch } from "../run/index.js";
import { Pace } from "./pace.js";

/** Seconds between two plain lines of one stage. */
const LINE_INTERVAL = 10;

/** Shows progress on stderr: a bar on a terminal, a line now and then anywhere else. */
export class ProgressDisplay implements RunEvents {
  private stage: string | undefined;
  private pace = new Pace(0);
  private bar: SingleBar | undefined;
  private lastLine = 0;
  private ended = false;
  private rows = 0;

  /** Also write a table of the batches, a line after each. */
  tabulates = false;

  constructor(
    private readonly stream: WriteStream = process.stderr as WriteStream,
    private readonly now: () => number = () => performance.now(),
  ) {}

  readonly onProgress = (progress: Progress): void => {
    const begins = progress.stage !== this.stage;
    if (begins) {
      this.finish();
      this.stage = progress.stage;
      this.pace = new Pace(progress.done, this.now);
      this.ended = false;
    }
    if (this.stream.isTTY) this.drawBar(progress);
    else this.writeLine(progress, begins);
  };

  /** A sentence for the person who waits, between the bars. */
  readonly onNote = (text: string): void => {
    this.finish();
    this.stream.write(`${text}\n`);
  };

  readonly onBatch = (batch: FinishedBatch): void => {
    if (this.tabulates) {
      if (this.rows === 0 || batch.batch === 1) this.onNote(batchHeading());
      this.onNote(batchRow(batch));
      this.rows += 1;
    }
    for (const alarm of batch.alarms ?? []) {
      this.onNote(`Alarm after batch ${batch.batch} (${batch.edits} edits): ${alarmInWords(alarm)}.`);
    }
  };

  readonly onEvaluation = (line: EvaluationLine): void => this.onNote(describeEvaluationLine(line));

  /** Leaves the terminal as it was. */
  finish(): void {
    this.bar?.stop();
    this.bar = undefined;
    this.stage = undefined;
  }

  private drawBar(progress: Progress): void {
    // A bar needs an end to run to; where there is none it shows the count alone.
    const total = progress.of ?? 0;
    const payload = { text: this.describe(progress) };
    if (this.bar === undefined) {
      const format = progress.of === undefined ? "{text}" : "{bar} {percentage}% {text}";
      // gracefulExit would catch signals, which are the command's business.
      const options = { stream: this.stream, format, barsize: 24, hideCursor: true, gracefulExit: false };
      this.bar = new SingleBar(options, Presets.shades_grey);
      this.bar.start(total, progress.done, payload);
    } else {
      this.bar.update(progress.done, payload);
    }
  }

  private writeLine(progress: Progress, begins: boolean): void {
    const ends = !this.ended && progress.of !== undefined && progress.done >= progress.of;
    const due = this.now() - this.lastLine >= LINE_INTERVAL * 1000;
    if (!begins && !ends && !due) return;
    this.ended ||= ends;
    this.lastLine = this.now();
    this.stream.write(`${this.describe(progress)}\n`);
  }

  private describe(progress: Progress): string {
    const { stage, detail, done, of, unit } = progress;
    const count = of === undefined ? `${done} ${unit}` : `${done}/${of} ${unit}`;
    const inBrackets = detail === undefined ? "" : ` (${detail})`;
    const pace = this.pace.describe(progress);
    return `${stage}${inBrackets}: ${count}${pace === "" ? "" : `, ${pace}`}`;
  }
}
