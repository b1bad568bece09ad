import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VirtualQueue } from "../../src/engine.js";
import { expectWithin } from "../support/close.js";
import { expectThrow } from "../support/errors.js";

const losses = fc.array(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 30 });
const alphas = fc.double({ min: 1, max: 100, noNaN: true });

describe("a virtual queue", () => {
  it("is the papers' a·Z, never under 1, and 1 after the first batch", () => {
    fc.assert(
      fc.property(losses, alphas, (sequence, alpha) => {
        let queue = VirtualQueue.create({ alpha });
        expect(queue.weight(15)).toBe(15);
        // Section 9 of the reference, in Z.
        const threshold = alpha * sequence[0]!;
        const [a, floor] = [1 / Math.sqrt(threshold), Math.sqrt(threshold)];
        let Z = floor;
        for (const [batch, loss] of sequence.entries()) {
          queue = queue.after(loss);
          Z = Math.max(Z + a * (loss - threshold), floor);
          expectWithin(queue.queue / (a * Z) - 1, 1e-9);
          expect(queue.queue).toBeGreaterThanOrEqual(1);
          if (batch === 0) expect(queue.queue).toBe(1);
        }
        expect(queue.threshold).toBe(threshold);
        expect(queue.baseLoss).toBe(sequence[0]);
      }),
    );
  });

  it("rises by 1 for a loss of twice the threshold, and weighs λ times as much", () => {
    const queue = VirtualQueue.create({ alpha: 2 }).after(3).after(12);
    expect(queue.queue).toBe(2);
    expect(queue.weight(1000)).toBe(2000);
  });

  it("goes on from what was written down", () => {
    const queue = VirtualQueue.create({ alpha: 1.5 }).after(2).after(7);
    const again = VirtualQueue.create({ alpha: 1.5 }, JSON.parse(JSON.stringify(queue)));
    expect(again.after(4).toJSON()).toEqual(queue.after(4).toJSON());
  });

  it("is a value: after() leaves it alone", () => {
    const queue = VirtualQueue.create({ alpha: 1 }).after(1);
    queue.after(100);
    expect(queue.queue).toBe(1);
  });

  it("refuses an alpha under 1 and a loss that is no number", () => {
    for (const alpha of [0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expectThrow(() => VirtualQueue.create({ alpha }), "ERR_INVALID_ARGUMENT", "alpha");
    }
    for (const loss of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
      expectThrow(() => VirtualQueue.create({ alpha: 2 }).after(loss), "ERR_NOT_FINITE");
    }
  });
});
