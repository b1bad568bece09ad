// On a machine with an NVIDIA GPU, one command each, that ends with a report to send in:
//
//   npm run test:gpu  [-- --out DIR]     builds the addon with CUDA, runs the native tests, the golden fixtures and a
//                                        comparison with the CPU on the GPU, and the demo
//   npm run bench:gpu [-- --out DIR] [NAME…]  builds it, and runs benchmarks on the GPU (bench/main.mjs names them)
//
// DIR (runs/gpu-test, runs/gpu-bench) gets report.json and report.md. Where something is missing, that is said and nothing
// is written. --emulated runs the same steps on test/cuda-emulation, for tests of this script; --only PART runs the steps
// whose name contains PART.

import path from "node:path";
import { parseArgs } from "node:util";
import { describeGpu, missingForGpu } from "./gpu-machine.mjs";
import { writeReport } from "./gpu-report.mjs";
import { stepsOf } from "./gpu-steps.mjs";

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`gpu: ${error.message}`);
  process.exitCode = 1;
}

async function main() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: "string" },
      emulated: { type: "boolean", default: false },
      only: { type: "string", default: "" },
    },
  });
  const [kind, ...names] = positionals;
  if (kind !== "test" && kind !== "bench") throw new Error("say test or bench");
  const { emulated } = values;
  const missing = emulated ? [] : missingForGpu();
  if (missing.length > 0) {
    throw new Error(`this machine cannot run it:\n${missing.map((what) => `  ${what}`).join("\n")}`);
  }
  const out = path.resolve(values.out ?? `runs/gpu-${kind}`);
  const steps = stepsOf(kind, { emulated, out, names }).filter(({ name }) => name.includes(values.only));
  if (steps.length === 0) throw new Error(`no step is named like ${values.only}`);

  const results = [];
  for (const { name, needed = false, run } of steps) {
    console.error(`== ${name}`);
    const begun = performance.now();
    const result = await run();
    results.push({ name, ...result, seconds: (performance.now() - begun) / 1000 });
    console.error(`== ${name}: ${result.ok ? "passed" : "FAILED"}`);
    if (needed && !result.ok) break; // without it, nothing that follows says anything
  }
  const done = steps.length === results.length && results.every(({ ok }) => ok);
  const file = await writeReport(out, { kind, emulated, done, machine: describeGpu({ emulated }), results });
  console.error(`the report is ${path.relative(process.cwd(), file)}, and report.json beside it`);
  return done ? 0 : 1;
}
