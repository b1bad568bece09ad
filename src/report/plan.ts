import { memorySize } from "../base/memory-size.js";
import type { RunPlan } from "../run/plan.js";
import { describeDevicePlan } from "./device-plan.js";
import { operations, time } from "./quantities.js";
import { table } from "./table.js";

type Updates = RunPlan["updates"]["weightStays"];

const held: [keyof Updates["memory"], string][] = [
  ["keySpaces", "key spaces: second moments, factored"],
  ["ledgers", "ledgers: keys, targets and values"],
  ["keys", "whitened and lifted keys (dual form)"],
  ["gram", "Gram matrices of whitened keys"],
  ["factor", "their Cholesky factors"],
  ["coefficients", "coefficients"],
  ["border", "border of the last batch"],
  ["sums", "sums over the facts (primal form)"],
  ["drifts", "drift, and its last change"],
];

/** What a run will take, for a person to read. */
export function describePlan(plan: RunPlan): string {
  const { keyWidth, valueWidth, layers, edits, batch, method, device } = plan;
  const where = layers.length === 1 ? `layer ${layers[0]}` : `layers ${layers.join(", ")}`;
  return [
    `${edits} facts with ${method}, ${batch} at a time, into ${where}${plan.model === null ? "" : ` of ${plan.model}`}: ` +
      `down-projections [${valueWidth}, ${keyWidth}].`,
    memoryTable(plan),
    workTable(plan),
    "The weight μ of what is preserved stays while the virtual queue sleeps, and changes with every batch once it is awake.\n" +
      `Times are as if all were products, at ${device.float64Gigaflops.toFixed(1)} GFLOP/s in float64, measured just now on ${device.name}.`,
    "Not predicted, since it depends on the lengths of texts: collecting second moments, finding values and keys, evaluation.\n" +
      "Nor is what Node.js and the BLAS library take for themselves.",
    ...(plan.onDevice === null ? [] : [describeDevicePlan(plan.onDevice, plan)]),
  ].join("\n\n");
}

function memoryTable(plan: RunPlan): string {
  const { weights, secondMoments, peakBytes } = plan;
  const { weightStays: stays, weightChanges: changes } = plan.updates;
  const rows: [string, number, number][] = [
    ["model", weights.model, weights.model],
    ["edited matrices, now and before a batch", weights.edited, weights.edited],
    ...held.map(([part, name]): [string, number, number] => [name, stays.memory[part], changes.memory[part]]),
    ["second moments, before the first batch", secondMoments.bytes, secondMoments.bytes],
    ["peak in all", peakBytes.weightStays, peakBytes.weightChanges],
  ];
  return inCases(
    "memory after the last batch",
    rows
      .filter(([, one, other]) => one > 0 || other > 0)
      .map(([name, ...both]) => [name, ...both.map((bytes) => (bytes === 0 ? "–" : memorySize(bytes)))]),
  );
}

function workTable({ secondMoments, updates }: RunPlan): string {
  const both = [updates.weightStays, updates.weightChanges];
  const row = (name: string, describe: (one: Updates) => string) => [name, ...both.map(describe)];
  return inCases("updates", [
    row("form", ({ primalAfter }) => formInWords(primalAfter)),
    row("operations", ({ flops }) => operations(flops)),
    row("time, at least", ({ seconds }) => time(seconds)),
    row("factoring the second moments, once", () => operations(secondMoments.flops)),
    row("time, at least", () => time(secondMoments.seconds)),
  ]);
}

function inCases(heading: string, rows: string[][]): string {
  const cases = ["μ stays", "μ changes"].map((name) => ({ heading: name, align: "right" as const }));
  return table([{ heading }, ...cases], rows);
}

function formInWords(primalAfter: number | null): string {
  if (primalAfter === null) return "dual";
  return primalAfter === 0 ? "primal" : `dual, primal after ${primalAfter} facts`;
}
