import type { DeviceWork, ProductInputs } from "../native/addon.js";
import type { PlannedDevice } from "./planned-devices.js";

/**
 * How much of a data sheet's rates an operation is taken to reach. None of these was measured with this code: they are round
 * numbers with a reason each, and belong beside every time that is calculated with them.
 */
export const assumed = {
  /** Of the peak, by large products: the HPL runs of the Top500, which are little but float64 products, reach 0.8 to 0.9. */
  product: 0.8,
  /** By triangular systems and factors: half of the products they are made of, since their steps wait for each other. */
  triangular: 0.4,
  factor: 0.4,
  /** By attention, of float32: kernels of the project's own, whose scores are short, and masked by half. */
  attention: 0.1,
  /** Of the bandwidth, by whatever streams through memory: STREAM reaches 0.8 to 0.9. */
  memory: 0.8,
  /** Elements of a side of an output's tile: a product's rows and columns cost as if rounded up to it. */
  tile: 64,
  /** The least a processor sums over by itself where the library splits a product with few tiles. */
  split: 256,
  /** Order of the blocks of which a triangular system or factor solves one after the other, in two kernels each. */
  block: 128,
  /** From one kernel to the next in a stream; and of a copy to or from the host, which is waited for. */
  kernelSeconds: 5e-6,
  copySeconds: 20e-6,
} as const;

/** What keeps an operation from being faster. */
export type Term = "arithmetic" | "memory" | "launches" | "host link";

export interface Timed {
  seconds: number;
  term: Term;
}

/**
 * Seconds that all calls of a piece of work take on a device: the longest of what its arithmetic takes, what its bytes take, and
 * what it takes to start its kernels (Williams, Waterman and Patterson 2009, "Roofline").
 */
export function roofline(work: DeviceWork, device: PlannedDevice, matmul: ProductInputs): Timed {
  if (work.kind === "copy") {
    const [bytes, calls] = [work.bytes / device.hostBandwidth, work.calls * assumed.copySeconds];
    return { seconds: Math.max(bytes, calls), term: "host link" };
  }
  return longest({
    arithmetic: arithmeticSeconds(work, device, matmul),
    memory: bytesOf(work, matmul) / (assumed.memory * device.bandwidth),
    launches: work.calls * kernels(work, matmul) * assumed.kernelSeconds,
  });
}

/** The longest, and which that is. */
export function longest(terms: Readonly<Partial<Record<Term, number>>>): Timed {
  let found: Timed = { seconds: 0, term: "arithmetic" };
  for (const [term, seconds] of Object.entries(terms)) {
    if (seconds > found.seconds) found = { seconds, term: term as Term };
  }
  return found;
}

/**
 * Bytes of the device's memory. Products of bfloat16 round both operands first (native/backend/cuda/linear_algebra.cu), the weights
 * too: each element is read as float32, written and read as bfloat16.
 */
export function bytesOf(work: DeviceWork, matmul: ProductInputs): number {
  if (matmul !== "bf16" || !isRounded(work)) return work.bytes;
  const { rows, columns, inner, calls } = work;
  return work.bytes + calls * 4 * inner * (rows + columns);
}

/** Whether the choice of inputs concerns it: second moments and all float64 keep their digits. */
function isRounded({ kind, operation, precision }: DeviceWork): boolean {
  return kind === "product" && operation === "gemm" && precision === "float32";
}

function arithmeticSeconds(work: DeviceWork, device: PlannedDevice, matmul: ProductInputs): number {
  const { kind, precision, flops } = work;
  const peak =
    precision === "float64" ? device.flops.float64 : device.flops[isRounded(work) ? inputs[matmul] : "float32"];
  switch (kind) {
    case "product":
      return flops / (peak * assumed.product * occupancy(work, device.processors));
    case "triangular":
    case "factor":
    case "attention":
      return flops / (peak * assumed[kind]);
    default:
      return 0;
  }
}

const inputs = { f32: "float32", tf32: "tf32", bf16: "bf16" } as const;

/** The part of the device that a product keeps busy: tiles at its edges are not full, and the last of them come alone. */
function occupancy({ rows, columns, inner }: DeviceWork, processors: number): number {
  const { tile, split } = assumed;
  const [high, wide] = [Math.ceil(rows / tile), Math.ceil(columns / tile)];
  const full = (rows * columns) / (high * wide * tile ** 2);
  const tiles = high * wide;
  if (tiles >= processors) return (full * tiles) / (processors * Math.ceil(tiles / processors));
  return (full * Math.min(processors, tiles * Math.ceil(inner / split))) / processors;
}

function kernels(work: DeviceWork, matmul: ProductInputs): number {
  if (work.kind === "triangular") return 2 * Math.ceil(work.columns / assumed.block);
  if (work.kind === "factor") return 2 * Math.ceil(work.rows / assumed.block);
  return matmul === "bf16" && isRounded(work) ? 3 : 1;
}
