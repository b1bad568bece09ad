/** What a GPU can do at most, by its data sheet: operations and bytes a second, without sparsity. */
export interface PlannedDevice {
  /** In words. */
  title: string;
  /** Of products; float64 on tensor cores where it has such. */
  flops: { float64: number; float32: number; tf32: number; bf16: number };
  /** Of its memory, and its size in bytes. */
  bandwidth: number;
  memoryBytes: number;
  /** Bytes a second to or from the host, one way. */
  hostBandwidth: number;
  /** Streaming multiprocessors. */
  processors: number;
  source: string;
}

const [giga, tera] = [1e9, 1e12];

export const plannedDeviceNames = ["a100", "h100", "rtx4090"] as const;
export type PlannedDeviceName = (typeof plannedDeviceNames)[number];

export function isPlannedDevice(name: string): name is PlannedDeviceName {
  return (plannedDeviceNames as readonly string[]).includes(name);
}

/** The rates of tensor cores are those of dense matrices: half of what data sheets print "with sparsity". */
export const plannedDevices: Readonly<Record<PlannedDeviceName, PlannedDevice>> = {
  a100: {
    title: "NVIDIA A100 SXM 80 GB",
    flops: { float64: 19.5 * tera, float32: 19.5 * tera, tf32: 156 * tera, bf16: 312 * tera },
    bandwidth: 2039 * giga,
    memoryBytes: 80 * 2 ** 30,
    hostBandwidth: 32 * giga,
    processors: 108,
    source: "NVIDIA A100 Tensor Core GPU data sheet (float64 on tensor cores; 9.7 TFLOP/s without)",
  },
  h100: {
    title: "NVIDIA H100 SXM 80 GB",
    flops: { float64: 67 * tera, float32: 67 * tera, tf32: 494.5 * tera, bf16: 989.5 * tera },
    bandwidth: 3350 * giga,
    memoryBytes: 80 * 2 ** 30,
    hostBandwidth: 64 * giga,
    processors: 132,
    source: "NVIDIA H100 Tensor Core GPU data sheet (float64 on tensor cores; 34 TFLOP/s without)",
  },
  rtx4090: {
    title: "NVIDIA GeForce RTX 4090",
    flops: { float64: 1.29 * tera, float32: 82.6 * tera, tf32: 82.6 * tera, bf16: 165.2 * tera },
    bandwidth: 1008 * giga,
    memoryBytes: 24 * 2 ** 30,
    hostBandwidth: 32 * giga,
    processors: 128,
    source: "NVIDIA Ada GPU architecture white paper, appendix A (float64 at 1/64 of float32, no tensor cores for it)",
  },
};
