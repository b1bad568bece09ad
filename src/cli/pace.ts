import { duration } from "../base/duration.js";
import type { Progress } from "../run/events.js";

/** How fast a stage moves, judged by what this process has done of it. */
export class Pace {
  private readonly begun: number;

  /** @param first - What was done when the stage was first seen: a resumed stage does not begin at zero. */
  constructor(
    private readonly first: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.begun = now();
  }

  /** "12.5 facts/s, 40 s left"; what is not known yet is left out. */
  describe({ done, of, unit }: Progress): string {
    const seconds = (this.now() - this.begun) / 1000;
    if (seconds <= 0 || done <= this.first) return "";
    const rate = (done - this.first) / seconds;
    const left = of === undefined || done >= of ? "" : `, ${duration((of - done) / rate)} left`;
    return `${rate >= 100 ? rate.toFixed(0) : rate.toPrecision(2)} ${unit}/s${left}`;
  }
}
