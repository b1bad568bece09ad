import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "./abort.js";

/** How long one stretch of our own work may hold the event loop: a third of what we promise, since one more piece follows. */
const STRETCH_MILLISECONDS = 3;

/**
 * Cuts a long loop into stretches, between which timers, sockets and signals have their turn.
 *
 * @example
 * const turns = new Turns(signal);
 * for (const text of texts) { await turns.next(); encode(text); }
 */
export class Turns {
  private begun = performance.now();

  constructor(private readonly signal?: AbortSignal) {}

  /** Gives way if it is time to. @throws ERR_ABORTED */
  async next(): Promise<void> {
    throwIfAborted(this.signal);
    if (performance.now() - this.begun < STRETCH_MILLISECONDS) return;
    await setImmediate();
    this.begun = performance.now();
  }
}
