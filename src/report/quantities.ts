import { figure } from "./table.js";

/** Floating-point operations. */
export function operations(flops: number): string {
  return flops >= 1e12 ? `${figure(flops / 1e12)} TFLOP` : `${figure(flops / 1e9)} GFLOP`;
}

/** A time that was predicted. */
export function time(seconds: number): string {
  if (seconds < 0.1) return `${(1000 * seconds).toFixed(seconds < 0.01 ? 2 : 1)} ms`;
  if (seconds < 100) return `${seconds.toFixed(seconds < 10 ? 2 : 0)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
