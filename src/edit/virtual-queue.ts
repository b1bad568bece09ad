import { LyaplockError } from "../errors.js";

/** What a queue is between two batches; plain data. */
export interface QueueState {
  /** D_base, the preservation loss after the first batch; null before it. */
  baseLoss: number | null;
  /** q = a·Z; 1 is its floor. */
  queue: number;
}

/**
 * The virtual queue of one layer: how much heavier the preserved knowledge weighs because its loss was over the
 * threshold before (LyapLock, section 3; reference, section 9). A value: `after` returns the next one.
 *
 * The papers' Z, a and floor are Z = q·√D*, a = 1/√D*, Z_min = √D*, with D* the threshold; only q = a·Z is needed.
 *
 * @example
 * let queue = VirtualQueue.create({ alpha: 60 });
 * for (…) { const μ = queue.weight(lambda); …; queue = queue.after(preservationLoss); }
 */
export class VirtualQueue {
  private constructor(
    /** α: the threshold is α times the loss after the first batch. */
    readonly alpha: number,
    private readonly state: QueueState,
  ) {}

  /** @throws ERR_INVALID_ARGUMENT unless α is at least 1: the first batch would be over its own threshold. */
  static create({ alpha }: { alpha: number }, state: QueueState = { baseLoss: null, queue: 1 }): VirtualQueue {
    if (!(alpha >= 1 && Number.isFinite(alpha))) {
      throw new LyaplockError("ERR_INVALID_ARGUMENT", `alpha must be a number, 1 or more; received ${alpha}`);
    }
    return new VirtualQueue(alpha, state);
  }

  /** q = a·Z. */
  get queue(): number {
    return this.state.queue;
  }

  /** D_base; 0 before the first batch. */
  get baseLoss(): number {
    return this.state.baseLoss ?? 0;
  }

  /** D* = α·D_base, per corpus token. */
  get threshold(): number {
    return this.alpha * this.baseLoss;
  }

  /** μ = λ·q, the weight the next batch is solved with. */
  weight(covarianceWeight: number): number {
    return covarianceWeight * this.state.queue;
  }

  /** The queue after a batch that ended with this preservation loss: q ← max(q + loss/D* − 1, 1). */
  after(preservationLoss: number): VirtualQueue {
    if (!(preservationLoss >= 0 && Number.isFinite(preservationLoss))) {
      throw new LyaplockError(
        "ERR_NOT_FINITE",
        `a preservation loss must be a number, 0 or more; it is ${preservationLoss}`,
      );
    }
    const baseLoss = this.state.baseLoss ?? preservationLoss;
    const threshold = this.alpha * baseLoss;
    // A first batch that changed nothing leaves no threshold; any later change is then over it, and weighs fully.
    const excess = threshold > 0 ? preservationLoss / threshold - 1 : Math.sign(preservationLoss);
    return new VirtualQueue(this.alpha, { baseLoss, queue: Math.max(this.state.queue + excess, 1) });
  }

  toJSON(): QueueState {
    return { ...this.state };
  }
}
