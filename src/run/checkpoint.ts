import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { contentHash } from "../base/content-hash.js";
import { fileError } from "../base/file-error.js";
import { named, sealFile } from "../base/files.js";
import { writeWhole } from "../base/write-whole.js";
import type { Matrices } from "../edit/methods/index.js";
import type { EditorState, SequentialEditor } from "../edit/sequential-editor.js";
import { LyaplockError } from "../errors.js";
import type { NativeMatrix } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { noSeconds, type Seconds } from "./seconds.js";

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
    const { [weightsName(state.batches - 1)]: _old, ...files } = this.current.files;
    const rows = await editor.ledgerRows();
    if (Object.keys(rows).length > 0) files[ledger] = await this.writeTensors(ledger, rows);
    files[weights] = await this.writeTensors(weights, {
      ...(await editor.matrices()),
      ...withNames(await editor.weights()),
    });
    await this.commit({ ...changes, editor: state, files });
    await rm(join(this.directory, weightsName(state.batches - 1)), { force: true });
  }

  /** Brings a fresh editor to where the last finished batch left its predecessor. */
  async restore(editor: SequentialEditor): Promise<void> {
    const state = this.current.editor;
    if (state === null) return;
    const tensors = await this.readTensors(weightsName(state.batches));
    try {
      const { weights, others } = takeWeights(tensors);
      await editor.restore(state, this.readLedger(state.batches), others, weights);
    } finally {
      for (const tensor of Object.values(tensors)) tensor.dispose();
    }
  }

  /** Writes and disposes. */
  private async writeTensors(name: string, tensors: Matrices): Promise<string> {
    const path = join(this.directory, name);
    try {
      await call(() => addon().writeTensors(path, tensors, {}));
    } finally {
      for (const tensor of Object.values(tensors)) tensor.dispose();
    }
    return sealFile(path);
  }

  /** What each batch has added; nothing, and no file, for a method that remembers no facts. */
  private async *readLedger(batches: number): AsyncGenerator<Matrices> {
    for (let batch = 1; batch <= batches; batch++) {
      const name = ledgerName(batch);
      const rows = name in this.current.files ? await this.readTensors(name) : {};
      try {
        yield rows;
      } finally {
        for (const tensor of Object.values(rows)) tensor.dispose();
      }
    }
  }

  private async readTensors(name: string): Promise<Matrices> {
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

const weightName = /^weight\.(\d+)$/;

function withNames(weights: ReadonlyMap<number, NativeMatrix>): Matrices {
  return Object.fromEntries([...weights].map(([layer, weight]) => [`weight.${layer}`, weight]));
}

/** Tells the edited weights from what the method keeps beside them. */
function takeWeights(tensors: Matrices): { weights: Map<number, NativeMatrix>; others: Matrices } {
  const weights = new Map<number, NativeMatrix>();
  const others: Matrices = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    const layer = weightName.exec(name)?.[1];
    if (layer === undefined) others[name] = tensor;
    else weights.set(Number(layer), tensor);
  }
  return { weights, others };
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
