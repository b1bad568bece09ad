import { memorySize } from "../base/memory-size.js";
import type { DeviceMemory, DevicePlan, PhasePlan } from "../run/device-plan.js";
import { operations, time } from "./quantities.js";
import { table } from "./table.js";

const products = { f32: "float32", tf32: "TF32", bf16: "bfloat16" } as const;

/** What a run takes on a GPU by calculation, for a person to read. */
export function describeDevicePlan(
  plan: DevicePlan,
  { batch, layers, edits }: { batch: number; layers: readonly number[]; edits: number },
): string {
  return [
    `On ${plan.properties.title}, with ${products[plan.matmul]} products: calculated, not measured.`,
    fitting(plan),
    memoryTable(plan, edits),
    phaseTable(plan, batch, layers.length),
    `Operations and bytes are those the code itself asks for, of ${plan.steps} steps for every value, which few need. ${promptsInWords(plan)}\n` +
      "Bytes pass through the device's memory, once for each operation; of copies, between device and host. Updates are the mean\n" +
      "over all batches. Evaluation is not in it.",
    assumptions(plan),
    ...(plan.solve === "refined" ? [REFINED] : []),
  ].join("\n\n");
}

const REFINED =
  "--solve refined changes nothing of this: LyapLock's systems are factored in float64. It is for methods that solve for the change\n" +
  "of each batch, once there are more facts than the MLP is wide.";

function fitting({ weightStays, weightChanges, availableBytes }: DevicePlan): string {
  const most = weightStays.memory.peak > weightChanges.memory.peak ? weightStays.memory : weightChanges.memory;
  const numbers = `takes ${memorySize(most.peak)} at most, of ${memorySize(availableBytes)} that the GPU has for it`;
  if (weightStays.fits && weightChanges.fits) return `It fits: the run ${numbers}.`;
  const [part, bytes] = largestPart(most);
  const isModelTooLarge = part === "weights" || most.weights > availableBytes;
  const way = isModelTooLarge ? WEIGHTS_TOO_LARGE : TOO_MANY_EDITS;
  return `IT DOES NOT FIT: the run ${numbers}.\nThe largest part is ${parts[part]}, ${memorySize(bytes)}.\n${way}`;
}

const TOO_MANY_EDITS = "Use --weights bf16, fewer edits or fewer layers, or a GPU with more memory.";
const WEIGHTS_TOO_LARGE = "Use --weights bf16, which halves all but the edited matrices, or a GPU with more memory.";

const parts = {
  weights: "the model, and its edited matrices now and before a batch",
  moments: "second moments and their factors, before the first batch",
  layers: "what all layers hold after the last batch",
  values: "what comes to these for values",
  keys: "for keys, from the first layer to the last",
  update: "for the update of a layer",
} satisfies Record<Exclude<keyof DeviceMemory, "peak">, string>;
type Part = keyof typeof parts;

function largestPart(memory: DeviceMemory): [Part, number] {
  const all = (Object.keys(parts) as Part[]).map((part): [Part, number] => [part, memory[part]]);
  return all.reduce((most, one) => (one[1] > most[1] ? one : most));
}

function memoryTable({ weightStays, weightChanges }: DevicePlan, edits: number): string {
  const rows = [...Object.entries(parts), ["peak", "peak in all"]] as [keyof DeviceMemory, string][];
  const both = [weightStays.memory, weightChanges.memory];
  return table(
    [
      { heading: `memory, ${edits} facts` },
      { heading: "μ stays", align: "right" },
      { heading: "μ changes", align: "right" },
    ],
    rows.map(([part, name]) => [name, ...both.map((memory) => memorySize(memory[part]))]),
  );
}

function phaseTable(
  { weightStays: stays, weightChanges: changes, steps, matmul }: DevicePlan,
  batch: number,
  layers: number,
) {
  const rows: [string, PhasePlan][] = [
    [`values, ${steps} steps`, stays.values],
    [`keys and residuals, ${layers} layers`, stays.keys],
    ["update of a layer, μ stays", stays.updateOfLayer],
    ["update of a layer, μ changes", changes.updateOfLayer],
    ["copies between host and device", changes.copies],
    [`a batch of ${batch}, μ stays`, stays.batch],
    [`a batch of ${batch}, μ changes`, changes.batch],
  ];
  const headings = [`${products[matmul]} products`, "attention", "float64", "bytes", "time", "bound by"];
  const cells = ({ flops, bytes, seconds, terms, binds }: PhasePlan) => [
    ...[flops.products, flops.attention, flops.float64].map((count) => (count === 0 ? "–" : operations(count))),
    memorySize(bytes),
    time(seconds),
    `${binds}, ${Math.round((100 * (terms[binds] ?? 0)) / seconds)} %`,
  ];
  const perEdit = (name: string, seconds: number) => [name, "", "", "", "", time(seconds), ""];
  return table(
    [{ heading: "phase" }, ...headings.map((heading) => ({ heading, align: "right" as const }))],
    [
      ...rows.map(([name, phase]) => [name, ...cells(phase)]),
      perEdit("an edit, μ stays", stays.secondsPerEdit),
      perEdit("an edit, μ changes", changes.secondsPerEdit),
    ],
  );
}

function promptsInWords({ prompts: { before, context, after, target } }: DevicePlan): string {
  return (
    "Prompts are as long\n" +
    `as CounterFact's: ${before} tokens before the subject's last one, ${context} more in a sampled context, ${after} after it, ${target} of the target.`
  );
}

function assumptions({ assumed, properties: { flops, bandwidth, hostBandwidth, source } }: DevicePlan): string {
  const [percent, tera] = [(share: number) => `${100 * share} %`, (rate: number) => `${rate / 1e12}`];
  return (
    `Peak TFLOP/s: float64 ${tera(flops.float64)}, float32 ${tera(flops.float32)}, TF32 ${tera(flops.tf32)}, bfloat16 ${tera(flops.bf16)}; ` +
    `memory ${bandwidth / 1e9} GB/s, host ${hostBandwidth / 1e9} GB/s\n(${source}).\n` +
    `Assumed: products reach ${percent(assumed.product)} of that, less for tiles of ${assumed.tile} that are not full; triangular systems and ` +
    `factors ${percent(assumed.factor)}, attention ${percent(assumed.attention)},\nmemory ${percent(assumed.memory)}; a kernel takes ` +
    `${assumed.kernelSeconds * 1e6} µs at least, a copy to or from the host ${assumed.copySeconds * 1e6} µs (src/run/roofline.ts says why).`
  );
}
