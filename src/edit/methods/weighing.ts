import { LyaplockError } from "../../errors.js";
import type { LayerReport } from "../report.js";
import { type QueueState, VirtualQueue } from "../virtual-queue.js";
import type { PlainData } from "./method.js";

/** How much what is preserved weighs in a layer, batch by batch. */
export interface Weighing {
  /** μ of the next batch, or with a limit the least it may be. */
  readonly weight: number;
  /** What the preservation loss may be after the next batch; left out where nothing is asked of it. */
  readonly lossLimit?: number | undefined;
  /** What a report says of it. */
  readonly figures: Pick<LayerReport, "baseLoss" | "threshold" | "queue">;
  /** After a batch that ended with this preservation loss. */
  after(preservationLoss: number): Weighing;
  state(): PlainData;
  restored(state: PlainData): Weighing;
}

/** The same weight always: nothing bounds the loss. */
export class ConstantWeight implements Weighing {
  constructor(
    readonly weight: number,
    private readonly baseLoss = 0,
  ) {}

  get figures() {
    return { baseLoss: this.baseLoss, threshold: null, queue: null };
  }

  after(preservationLoss: number): ConstantWeight {
    return this.baseLoss > 0 ? this : new ConstantWeight(this.weight, preservationLoss);
  }

  state(): PlainData {
    return { baseLoss: this.baseLoss };
  }

  restored(state: PlainData): ConstantWeight {
    return new ConstantWeight(this.weight, (state as { baseLoss: number }).baseLoss);
  }
}

/** λ times the virtual queue. */
export class QueuedWeight implements Weighing {
  constructor(
    private readonly covarianceWeight: number,
    private readonly queue: VirtualQueue,
  ) {}

  get weight(): number {
    return this.queue.weight(this.covarianceWeight);
  }

  get figures() {
    const { baseLoss, threshold, queue } = this.queue;
    return { baseLoss, threshold, queue };
  }

  after(preservationLoss: number): QueuedWeight {
    return new QueuedWeight(this.covarianceWeight, this.queue.after(preservationLoss));
  }

  state(): PlainData {
    return { ...this.queue.toJSON() };
  }

  restored(state: PlainData): QueuedWeight {
    const { alpha } = this.queue;
    return new QueuedWeight(this.covarianceWeight, VirtualQueue.create({ alpha }, state as unknown as QueueState));
  }
}

/** The smallest weight from λ on that keeps the loss at or under α times that of the first batch, after every batch. */
export class LimitedWeight implements Weighing {
  constructor(
    readonly weight: number,
    private readonly alpha: number,
    private readonly baseLoss: number | null = null,
  ) {}

  get lossLimit(): number | undefined {
    return this.baseLoss === null ? undefined : this.alpha * this.baseLoss;
  }

  get figures() {
    return { baseLoss: this.baseLoss ?? 0, threshold: this.lossLimit ?? null, queue: null };
  }

  after(preservationLoss: number): LimitedWeight {
    return this.baseLoss === null ? new LimitedWeight(this.weight, this.alpha, preservationLoss) : this;
  }

  state(): PlainData {
    return { baseLoss: this.baseLoss };
  }

  restored(state: PlainData): LimitedWeight {
    return new LimitedWeight(this.weight, this.alpha, (state as { baseLoss: number | null }).baseLoss);
  }
}

/** A method's own λ, checked where it is given; undefined leaves it to the hyperparameters. */
export function checkCovarianceWeight(weight: number | undefined): void {
  if (weight === undefined || (weight > 0 && Number.isFinite(weight))) return;
  throw new LyaplockError("ERR_INVALID_ARGUMENT", `covarianceWeight must be a number over 0; received ${weight}`);
}
