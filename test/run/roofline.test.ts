import { describe, expect, it } from "vitest";
import type { DeviceWork } from "../../src/native/addon.js";
import { plannedDevices } from "../../src/run/planned-devices.js";
import { assumed, bytesOf, roofline } from "../../src/run/roofline.js";

const { a100, rtx4090 } = plannedDevices;
const work = (changes: Partial<DeviceWork>): DeviceWork => ({
  ...{ kind: "pass", operation: "copy", precision: "float32", rows: 0, columns: 0, inner: 0 },
  ...{ calls: 1, flops: 0, bytes: 0 },
  ...changes,
});
const product = (rows: number, columns: number, inner: number, changes: Partial<DeviceWork> = {}): DeviceWork => {
  const bytes = 4 * (rows * inner + inner * columns + rows * columns);
  const flops = 2 * rows * columns * inner;
  return work({ kind: "product", operation: "gemm", rows, columns, inner, flops, bytes, ...changes });
};

describe("the roofline of a piece of work", () => {
  it("is arithmetic for a large product, at the rate of its inputs", () => {
    // 12,288 tiles of 64: 113.8 waves of 108 processors are 114.
    const large = product(6144, 8192, 4096);
    const busy = 12_288 / (114 * 108);
    for (const [matmul, peak] of [
      ["f32", 19.5e12],
      ["tf32", 156e12],
      ["bf16", 312e12],
    ] as const) {
      const { seconds, term } = roofline(large, a100, matmul);
      expect(term).toBe("arithmetic");
      expect(seconds).toBeCloseTo(large.flops / (0.8 * peak * busy), 9);
    }
    // Which are 96 waves of 128.
    const float64 = roofline({ ...large, precision: "float64" }, rtx4090, "bf16");
    expect(float64.seconds).toBeCloseTo(large.flops / (0.8 * 1.29e12), 9);
  });

  it("counts tiles that are not full as if they were, and splits a product of few", () => {
    const [one, full] = [product(1, 64 * 108, 4096), product(64, 64 * 108, 4096)].map((of) =>
      roofline(of, a100, "f32"),
    );
    const arithmetic = (64 * 64 * 108 * 4096 * 2) / (0.8 * 19.5e12);
    expect(full!.seconds).toBeCloseTo(arithmetic, 12);
    expect(one!.seconds).toBeCloseTo(arithmetic, 12);
    // One tile, whose sum is long enough for four processors.
    expect(roofline(product(64, 64, 1024), a100, "f32").seconds).toBeCloseTo(
      (27 * 64 * 64 * 2048) / (0.8 * 19.5e12),
      12,
    );
  });

  it("is memory where each byte is used once, and launches where there is little", () => {
    const pass = work({ bytes: 4e9 });
    expect(roofline(pass, a100, "f32")).toEqual({ seconds: 4e9 / (0.8 * 2.039e12), term: "memory" });
    expect(roofline(work({ bytes: 4000, calls: 3 }), a100, "f32")).toEqual({ seconds: 3 * 5e-6, term: "launches" });
    const { term, seconds } = roofline(
      work({ kind: "factor", rows: 1280, flops: 1280 ** 3 / 3, bytes: 1 }),
      a100,
      "f32",
    );
    expect({ term, seconds }).toEqual({ term: "launches", seconds: 20 * assumed.kernelSeconds });
  });

  it("is the host link for copies, at their number or their size", () => {
    expect(roofline(work({ kind: "copy", bytes: 32e9 }), a100, "f32")).toEqual({ seconds: 1, term: "host link" });
    expect(roofline(work({ kind: "copy", calls: 100, bytes: 1 }), a100, "f32").seconds).toBeCloseTo(100 * 20e-6, 12);
  });

  it("has both operands rounded for products of bfloat16, and nothing else", () => {
    const of = product(100, 200, 300);
    expect(bytesOf(of, "bf16") - of.bytes).toBe(4 * 300 * (100 + 200));
    expect(bytesOf(of, "tf32")).toBe(of.bytes);
    for (const kept of [
      { ...of, precision: "float64" },
      { ...of, operation: "syrk" },
    ] as const) {
      expect(bytesOf(kept, "bf16")).toBe(of.bytes);
      expect(roofline(kept, a100, "bf16")).toEqual(roofline(kept, a100, "f32"));
    }
  });
});
