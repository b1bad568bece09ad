/** Seconds per phase. `total` is wall time, over all sessions of a run as far as a checkpoint has recorded it. */
export interface Seconds {
  moments: number;
  values: number;
  keys: number;
  updates: number;
  evaluation: number;
  saving: number;
  total: number;
}

export type TimedPhase = Exclude<keyof Seconds, "total">;

export const noSeconds: Seconds = {
  moments: 0,
  values: 0,
  keys: 0,
  updates: 0,
  evaluation: 0,
  saving: 0,
  total: 0,
};

/** Adds up what phases take. */
export class Stopwatch {
  private readonly phases: Seconds = { ...noSeconds };
  private readonly start = performance.now();
  private earlier: Seconds = noSeconds;

  /** Counts on from an earlier session. */
  continueFrom(earlier: Seconds): void {
    this.earlier = earlier;
  }

  add(phase: TimedPhase, seconds: number): void {
    this.phases[phase] += seconds;
  }

  async time<T>(phase: TimedPhase, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.add(phase, (performance.now() - start) / 1000);
    }
  }

  /** So far, to the millisecond. */
  read(): Seconds {
    const now = { ...this.phases, total: (performance.now() - this.start) / 1000 };
    const names = Object.keys(noSeconds) as (keyof Seconds)[];
    return Object.fromEntries(
      names.map((name) => [name, Math.round((now[name] + this.earlier[name]) * 1000) / 1000]),
    ) as unknown as Seconds;
  }
}
