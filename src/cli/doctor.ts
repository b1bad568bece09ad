import type { Command } from "commander";
import { addon, call, whyNoCuda } from "../native/index.js";
import { packageVersion } from "../run/index.js";
import { addCommonOptions, type CommonOptions } from "./options.js";
import { printResult, type Runtime } from "./runtime.js";

/**
 * Relative errors above these mean a broken BLAS: rounding gives about 1e-7 in the float32 products and 1e-16 in the float64
 * factors, and a kernel that is wrong for a processor is off in the first digits.
 */
const LARGEST_PRODUCT_ERROR = 1e-5;
const LARGEST_FACTOR_ERROR = 1e-12;

export function addDoctorCommand(program: Command, runtime: Runtime): void {
  const command = program
    .command("doctor")
    .summary("checks that this machine computes rightly, and how fast")
    .description("Shows what lyaplock runs on, checks its numbers against naive ones, and measures its speed.");
  addCommonOptions(command).action(async (options: CommonOptions) => {
    const report = await examine();
    printResult(runtime, options, report, () => describe(report));
    if (!report.healthy) process.exitCode = 1;
  });
}

async function examine() {
  const { backend, threads } = addon().systemInfo();
  const test = await call(() => addon().selfTest());
  const healthy = test.productError < LARGEST_PRODUCT_ERROR && test.factorError < LARGEST_FACTOR_ERROR;
  return {
    healthy,
    version: await packageVersion(),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    backend,
    threads,
    gpu: addon().device === "cuda" ? "in use" : (whyNoCuda() ?? "not in use; --device cuda uses it"),
    ...test,
  };
}

function describe(report: Awaited<ReturnType<typeof examine>>): string {
  const lines: [string, string][] = [
    ["lyaplock", report.version],
    ["Node.js", `${report.node}, ${report.platform}`],
    ["backend", report.backend],
    ["threads", String(report.threads)],
    ["GPU", report.gpu],
    ["products", `relative error ${report.productError.toExponential(1)}`],
    ["factors", `relative error ${report.factorError.toExponential(1)}`],
    ["float32", `${report.float32Gigaflops.toFixed(1)} GFLOP/s`],
    ["float64", `${report.float64Gigaflops.toFixed(1)} GFLOP/s`],
  ];
  const verdict = report.healthy
    ? "All is well."
    : `The numbers are wrong: errors must stay below ${LARGEST_PRODUCT_ERROR} in products and ${LARGEST_FACTOR_ERROR} in factors.\n` +
      "The BLAS library does not suit this processor; install another, or try OPENBLAS_CORETYPE=Haswell.";
  return [...lines.map(([name, value]) => `${name.padEnd(10)} ${value}`), "", verdict].join("\n");
}
