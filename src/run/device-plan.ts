import type { Hyperparameters } from "../edit/hyperparameters.js";
import { counterfactLengths, type PromptLengths, plannedPrompts } from "../edit/plan-prompts.js";
import { valueOptions } from "../edit/values.js";
import { LyaplockError } from "../errors.js";
import type { ModelConfig } from "../model/config.js";
import { countWeights } from "../model/weight-count.js";
import type { DeviceWork, ProductInputs, SolvePrecision, UpdatesRehearsal } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { type PlannedDevice, type PlannedDeviceName, plannedDevices } from "./planned-devices.js";
import { assumed, bytesOf, longest, roofline, type Term } from "./roofline.js";

/** A run that is to be planned on a GPU that need not be here. */
export interface DevicePlanOptions {
  device: PlannedDeviceName;
  /** How float32 matrices are multiplied. */
  matmul: ProductInputs;
  /** How float64 systems are solved; LyapLock, whose systems are factored for more than one solution, has but one way. */
  solve: SolvePrecision;
  config: ModelConfig;
  hyperparameters: Hyperparameters;
  edits: number;
  batch: number;
}

/** A part of a batch, on average over the run. */
export interface PhasePlan {
  /** Operations: of products whose inputs `matmul` chooses, of attention in float32, and in float64. */
  flops: { products: number; attention: number; float64: number };
  /** That pass through the device's memory; of copies, between device and host. */
  bytes: number;
  seconds: number;
  /** What those seconds are spent on, and the largest of these. */
  terms: Partial<Record<Term, number>>;
  binds: Term;
}

export interface DevicePhases {
  values: PhasePlan;
  /** And residuals, of all layers. */
  keys: PhasePlan;
  /** Of one layer, its weight included. */
  updateOfLayer: PhasePlan;
  /** Of all of these, and of the checkpoint that a run writes. */
  copies: PhasePlan;
  batch: PhasePlan;
  secondsPerEdit: number;
}

export interface DeviceMemory {
  /** The whole model in float32, and the edited matrices twice. */
  weights: number;
  /** Second moments of all layers and their factors, before the first batch. */
  moments: number;
  /** Of all layers after the last batch, key spaces included. */
  layers: number;
  /** The most that comes to these: while values are optimised; for keys, and for an update. */
  values: number;
  keys: number;
  update: number;
  /** In all, at its most. */
  peak: number;
}

export interface DevicePlan {
  device: PlannedDeviceName;
  properties: PlannedDevice;
  matmul: ProductInputs;
  solve: SolvePrecision;
  prompts: PromptLengths;
  steps: number;
  assumed: typeof assumed;
  /** While the virtual queue sleeps, and while it is awake. */
  weightStays: DevicePhases & { memory: DeviceMemory; fits: boolean };
  weightChanges: DevicePhases & { memory: DeviceMemory; fits: boolean };
  /** Bytes that are there for a run: what the driver and the libraries take is taken off. */
  availableBytes: number;
}

/** Whose prompts are made one by one. */
const LARGEST_BATCH = 10_000;

/** Set aside for the driver's context, the libraries' work areas and what a pool loses between blocks; a guess, like `assumed`. */
const RESERVED_BYTES = 2 * 2 ** 30;

/**
 * Calculates what a run of LyapLock takes on a device: the code itself is run on a backend that only keeps account
 * (native/backend/rehearsal), and what it asks for is timed by `roofline`. Nothing in it is measured.
 *
 * @throws ERR_MODEL_FORMAT, ERR_INVALID_ARGUMENT, ERR_ABORTED
 */
export async function planOnDevice(options: DevicePlanOptions, signal?: AbortSignal): Promise<DevicePlan> {
  const { device, matmul, solve, config, hyperparameters, edits, batch } = options;
  if (batch > LARGEST_BATCH) {
    const what = `a batch of at most ${LARGEST_BATCH} facts can be planned on a device; received ${batch}`;
    throw new LyaplockError("ERR_INVALID_ARGUMENT", what);
  }
  const properties = plannedDevices[device];
  const { layers } = hyperparameters;
  const prompts = plannedPrompts(Math.min(batch, edits), counterfactLengths);
  const rehearsed = {
    ...{ model: config, ...prompts, valueOptions: valueOptions(hyperparameters), layers },
    deviceMemory: properties.memoryBytes,
  };
  const facts = await call((cancellation) => addon().rehearseBatch(rehearsed, cancellation), signal);

  const { feedForwardWidth: keyWidth, width: valueWidth } = config;
  const availableBytes = properties.memoryBytes - RESERVED_BYTES;
  const batches = Math.ceil(edits / batch);
  const inCase = async (weightStays: boolean) => {
    const shape = { keyWidth, valueWidth, edits, batchSize: batch, weightStays };
    const updates = await call((cancellation) => addon().rehearseUpdates(shape, cancellation), signal);
    const updateOfLayer = [
      ...[...updates.allButLast.work, ...updates.last.work].map((work) => times(1 / batches, work)),
      ...facts.weights.work.map((work) => times(1 / layers.length, work)),
    ];
    const all = [facts.values.work, facts.keys.work, ...layers.map(() => updateOfLayer)].flat();
    const copies = [...all.filter(isCopy), checkpoint(options)];
    const phase = (work: readonly DeviceWork[]) => timed(work, properties, matmul);
    const inAll = phase([...all.filter((work) => !isCopy(work)), ...copies]);
    const withoutCopies = (work: readonly DeviceWork[]) => phase(work.filter((one) => !isCopy(one)));
    const memory = memoryOf(options, updates, facts);
    return {
      values: withoutCopies(facts.values.work),
      keys: withoutCopies(facts.keys.work),
      updateOfLayer: withoutCopies(updateOfLayer),
      copies: phase(copies),
      batch: inAll,
      secondsPerEdit: inAll.seconds / (edits / batches),
      memory,
      fits: memory.peak <= availableBytes,
    };
  };
  return {
    ...{ device, properties, matmul, solve, prompts: counterfactLengths, steps: hyperparameters.steps, assumed },
    weightStays: await inCase(true),
    weightChanges: await inCase(false),
    availableBytes,
  };
}

function timed(all: readonly DeviceWork[], device: PlannedDevice, matmul: ProductInputs): PhasePlan {
  const flops = { products: 0, attention: 0, float64: 0 };
  const terms: Partial<Record<Term, number>> = {};
  let [bytes, seconds] = [0, 0];
  for (const work of all) {
    const one = roofline(work, device, matmul);
    flops[work.precision === "float64" ? "float64" : work.kind === "attention" ? "attention" : "products"] +=
      work.flops;
    bytes += bytesOf(work, matmul);
    seconds += one.seconds;
    terms[one.term] = (terms[one.term] ?? 0) + one.seconds;
  }
  return { flops, bytes, seconds, terms, binds: longest(terms).term };
}

const isCopy = ({ kind }: DeviceWork) => kind === "copy";

function times(factor: number, work: DeviceWork): DeviceWork {
  return { ...work, calls: factor * work.calls, flops: factor * work.flops, bytes: factor * work.bytes };
}

/** What a run's checkpoint takes to the host after each batch: rows of the ledger, and the edited weights (run/checkpoint.ts). */
function checkpoint({ config, hyperparameters, batch }: DevicePlanOptions): DeviceWork {
  const { feedForwardWidth: d, width: m } = config;
  const bytes = hyperparameters.layers.length * (8 * batch * (d + 2 * m) + 4 * m * d);
  const calls = hyperparameters.layers.length * 4;
  const none = { rows: 0, columns: 0, inner: 0, flops: 0 };
  return { kind: "copy", operation: "download", precision: "float32", ...none, calls, bytes };
}

function memoryOf(
  { config, hyperparameters }: DevicePlanOptions,
  { allButLast, last, heldBytes }: UpdatesRehearsal,
  { values, keys }: { values: { peakBytes: number }; keys: { peakBytes: number } },
): DeviceMemory {
  const { feedForwardWidth: d, width: m } = config;
  const count = hyperparameters.layers.length;
  const model = 4 * countWeights(config);
  const edited = 4 * count * d * m;
  const moment = 8 * d ** 2;
  const moments = 2 * count * moment;
  const layers = count * heldBytes;
  // What one form takes when the other takes over may be more than anything after it.
  const update = Math.max(last.peakBytes, moment + allButLast.peakBytes - heldBytes);
  const whileValues = model + edited + layers + values.peakBytes;
  const whileUpdating = model + 2 * edited + layers + keys.peakBytes + update;
  const peak = Math.max(model + moments, whileValues, whileUpdating);
  const peaks = { values: values.peakBytes, keys: keys.peakBytes, update };
  return { weights: model + 2 * edited, moments, layers, ...peaks, peak };
}
