import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { contentHash } from "../base/content-hash.js";
import { fileError } from "../base/file-error.js";
import { named, sealFile } from "../base/files.js";
import { writeWhole } from "../base/write-whole.js";
import type { EditorState, SequentialEditor } from "../edit/sequential-editor.js";
import { LyaplockError } from "../errors.js";
import type { LedgerBatch, NativeMatrix } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { noSeconds, type Seconds } from "./seconds.js";

/** Rows of the ledger of one batch, by layer. */
type LedgerRows = Map<number, LedgerBatch>;

/** How far a run is. What a directory holds beyond this does not count and is cut off or removed. */
export interface CheckpointState {
  /** Of the editor after its last finished batch; null before the first. */
  editor: EditorState | null;
  /** sha256 of the ledger and weight files, by name. */
  files: Record<string, string>;
  /** Valid bytes of before.jsonl, batches.jsonl, evaluations.jsonl and cases.jsonl. */
  lines: { before: number; batches: number; evaluations: number; cases: number };
  seconds: Seconds;
}

const stateSchema = z.object({
  version: z.literal(3),
  editor: z.custom<EditorState>((value) => typeof value === "object").nullable(),
  files: z.record(z.string(), z.string().length(64)),
  lines: z.object({ before: z.number(), batches: z.number(), evaluations: z.number(), cases: z.number() }),
  seconds: z.object(Object.fromEntries(Object.keys(noSeconds).map((name) => [name, z.number()]))),
});

const begin: CheckpointState = {
  editor: null,
  files: {},
  lines: { before: 0, batches: 0, evaluations: 0, cases: 0 },
  seconds: noSeconds,
};

/**
 * The part of a run directory that resuming needs.
 *
 * state.json is the one truth: it is renamed into place after everything it speaks of is on the disk, and files it does
 * not name are left over from a process that was killed.
 */
export class Checkpoint {
  private constructor(
    private readonly directory: string,
    private current: CheckpointState,
  ) {}

  /** Reads the state where there is one, and clears away what it does not name. */
  static async open(directory: string): Promise<Checkpoint> {
    await named("create", directory, () => mkdir(directory, { recursive: true }));
    const checkpoint = new Checkpoint(directory, await readState(join(directory, stateName)));
    await checkpoint.removeUnnamed();
    return checkpoint;
  }

  get state(): CheckpointState {
    return this.current;
  }

  /** Metrics of the unedited model, a line per fact. */
  get before(): string {
    return join(this.directory, beforeName);
  }

  /** Makes changes of the state true. */
  async commit(changes: Partial<CheckpointState>): Promise<void> {
    const next = { ...this.current, ...changes };
    await writeWhole(join(this.directory, stateName), `${JSON.stringify({ version: 3, ...next })}\n`);
    this.current = next;
  }

  /** Makes the editor's last batch part of the run. */
  async commitBatch(editor: SequentialEditor, changes: Partial<CheckpointState>): Promise<void> {
    const state = await editor.state();
    const ledger = ledgerName(state.batches);
    const weights = weightsName(state.batches);
    const ledgerHash = await this.writeLedger(ledger, await editor.lastBatch());
    const weightsHash = await this.writeWeights(weights, await editor.weights());

    const { [weightsName(state.batches - 1)]: _old, ...kept } = this.current.files;
    await this.commit({ ...changes, editor: state, files: { ...kept, [ledger]: ledgerHash, [weights]: weightsHash } });
    await rm(join(this.directory, weightsName(state.batches - 1)), { force: true });
  }

  /** Brings a fresh editor to where the last finished batch left its predecessor. */
  async restore(editor: SequentialEditor): Promise<void> {
    const state = this.current.editor;
    if (state === null) return;
    const weights = await this.readWeights(weightsName(state.batches));
    try {
      await editor.restore(state, this.readLedger(state.batches), weights);
    } finally {
      for (const weight of weights.values()) weight.dispose();
    }
  }

  private async writeLedger(name: string, rows: LedgerRows): Promise<string> {
    const tensors: Record<string, NativeMatrix> = {};
    for (const [layer, { keys, targets, values }] of rows) {
      tensors[`layer.${layer}.keys`] = keys;
      tensors[`layer.${layer}.targets`] = targets;
      tensors[`layer.${layer}.values`] = values;
    }
    return this.writeTensors(name, tensors);
  }

  private async writeWeights(name: string, weights: Map<number, NativeMatrix>): Promise<string> {
    return this.writeTensors(
      name,
      Object.fromEntries([...weights].map(([layer, weight]) => [`layer.${layer}.weight`, weight])),
    );
  }

  /** Writes and disposes. */
  private async writeTensors(name: string, tensors: Record<string, NativeMatrix>): Promise<string> {
    const path = join(this.directory, name);
    try {
      await call(() => addon().writeTensors(path, tensors, {}));
    } finally {
      for (const tensor of Object.values(tensors)) tensor.dispose();
    }
    return sealFile(path);
  }

  private async *readLedger(batches: number): AsyncGenerator<LedgerRows> {
    for (let batch = 1; batch <= batches; batch++) {
      const tensors = await this.readTensors(ledgerName(batch));
      const rows = new Map<number, LedgerBatch>();
      for (const layer of layersIn(tensors)) {
        const part = (name: keyof LedgerBatch) => tensors[`layer.${layer}.${name}`]!;
        rows.set(layer, { keys: part("keys"), targets: part("targets"), values: part("values") });
      }
      try {
        yield rows;
      } finally {
        for (const tensor of Object.values(tensors)) tensor.dispose();
      }
    }
  }

  private async readWeights(name: string): Promise<Map<number, NativeMatrix>> {
    const tensors = await this.readTensors(name);
    return new Map(layersIn(tensors).map((layer) => [layer, tensors[`layer.${layer}.weight`]!]));
  }

  private async readTensors(name: string): Promise<Record<string, NativeMatrix>> {
    const path = join(this.directory, name);
    if ((await contentHash([path])) !== this.current.files[name]) {
      throw new LyaplockError(
        "ERR_RUN_DIRECTORY",
        `${path} is not what this run wrote: its checksum differs. Start the run anew in another directory.`,
      );
    }
    return (await call(() => addon().readTensors(path))).tensors;
  }

  private async removeUnnamed(): Promise<void> {
    const named = new Set([stateName, beforeName, ...Object.keys(this.current.files)]);
    for (const entry of await readdir(this.directory)) {
      if (!named.has(entry)) await rm(join(this.directory, entry), { recursive: true, force: true });
    }
  }
}

const stateName = "state.json";
const beforeName = "before.jsonl";
const ledgerName = (batch: number) => `ledger-${String(batch).padStart(6, "0")}.safetensors`;
const weightsName = (batch: number) => `weights-${String(batch).padStart(6, "0")}.safetensors`;

function layersIn(tensors: Record<string, NativeMatrix>): number[] {
  const layers = Object.keys(tensors).map((name) => Number(name.split(".")[1]));
  return [...new Set(layers)].sort((a, b) => a - b);
}

async function readState(path: string): Promise<CheckpointState> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return begin;
    throw fileError("read", path, error);
  }
  try {
    const { version: _, ...state } = stateSchema.parse(JSON.parse(content));
    return state as unknown as CheckpointState;
  } catch (error) {
    throw new LyaplockError(
      "ERR_RUN_DIRECTORY",
      `${path} cannot be read as the state of a run. Start the run anew in another directory.`,
      { cause: error },
    );
  }
}
