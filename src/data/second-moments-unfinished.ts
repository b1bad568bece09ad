import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { contentHash } from "../base/content-hash.js";
import { fileError } from "../base/file-error.js";
import { sealFile } from "../base/files.js";
import { readJsonFile } from "../base/json-file.js";
import { writeWhole } from "../base/write-whole.js";
import type { CollectionState, CollectionStore } from "../edit/second-moments.js";
import { LyaplockError } from "../errors.js";
import type { MomentPrecision, NativeSecondMoment } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { readSquare } from "./layer-moment-file.js";
import type { OnDamaged } from "./second-moments-entry.js";
import { setAside, VERSION } from "./second-moments-place.js";

const STATE = "state.json";
const SUM = "sum";

const stateSchema = z.object({
  version: z.literal(VERSION),
  texts: z.number().int().positive(),
  tokens: z.number().int().positive(),
  /** One of each layer. */
  sums: z.array(z.object({ file: z.string().regex(/^[\w.-]+$/), sha256: z.string(), count: z.number().int() })),
});

/** How far an unfinished collection is. @throws ERR_FILE, ERR_MODEL_FORMAT, a ZodError */
export async function readUnfinished(directory: string): Promise<z.infer<typeof stateSchema>> {
  return stateSchema.parse(await readJsonFile(path.join(directory, STATE), "ERR_MODEL_FORMAT"));
}

/**
 * A collection under way, in a directory: the sum of each layer, and state.json. That is renamed into place after all it
 * names is on the disk; files it does not name are left over and soon gone.
 */
export class UnfinishedCollection implements CollectionStore {
  private generation = 0;
  private keptAt = performance.now();
  /** Milliseconds that keeping took the last time. */
  private cost = 0;

  constructor(
    readonly directory: string,
    private readonly layers: readonly number[],
    private readonly options: {
      width: number;
      precision: MomentPrecision;
      everySeconds: number;
      onResumed(state: { texts: number; tokens: number }): void;
      onDamaged: OnDamaged | undefined;
    },
  ) {}

  async load(): Promise<CollectionState | undefined> {
    const sums: NativeSecondMoment[] = [];
    try {
      const state = await readUnfinished(this.directory);
      for (const sum of state.sums) sums.push(await this.readSum(sum));
      if (sums.length !== this.layers.length) throw new LyaplockError("ERR_FILE", "it has sums of other layers");
      this.generation = Number(/\d+/.exec(state.sums[0]!.file)?.[0] ?? 0);
      this.options.onResumed(state);
      return { texts: state.texts, tokens: state.tokens, sums };
    } catch (error) {
      for (const sum of sums) sum.dispose();
      const missing = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.path?.endsWith(STATE) === true;
      if (!missing) {
        const reason = (error as Error).message;
        const movedTo = await setAside(this.directory);
        this.options.onDamaged?.({ path: this.directory, movedTo, reason });
      }
      return undefined;
    }
  }

  /** Once in a while, and more rarely where it takes more than a twentieth of a minute. */
  async keep(state: CollectionState): Promise<void> {
    const interval = 1000 * this.options.everySeconds * Math.max(1, this.cost / 3000);
    if (performance.now() - this.keptAt < interval) return;
    const begun = performance.now();
    await this.write(state);
    this.keptAt = performance.now();
    this.cost = this.keptAt - begun;
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  private async write({ texts, tokens, sums }: CollectionState): Promise<void> {
    const generation = this.generation + 1;
    try {
      await mkdir(this.directory, { recursive: true });
      const files = [];
      for (const [i, layer] of this.layers.entries()) {
        const name = sumName(generation, layer);
        files.push({ file: name, ...(await this.writeSum(path.join(this.directory, name), sums[i]!)) });
      }
      const state: z.infer<typeof stateSchema> = { version: VERSION, texts, tokens, sums: files };
      await writeWhole(path.join(this.directory, STATE), `${JSON.stringify(state)}\n`);
    } catch (error) {
      throw fileError("keep the unfinished second moments in", this.directory, error);
    }
    for (const layer of this.layers) {
      await rm(path.join(this.directory, sumName(this.generation, layer)), { force: true });
    }
    this.generation = generation;
  }

  private async writeSum(file: string, moment: NativeSecondMoment): Promise<{ sha256: string; count: number }> {
    const { sum, count } = await call(() => moment.sum());
    try {
      await call(() => addon().writeTensors(file, { [SUM]: sum }, {}));
    } finally {
      sum.dispose();
    }
    return { sha256: await sealFile(file), count };
  }

  private async readSum({ file: name, sha256, count }: { file: string; sha256: string; count: number }) {
    const file = path.join(this.directory, name);
    const found = await contentHash([file]);
    if (found !== sha256) throw new LyaplockError("ERR_FILE", `${file}: its checksum is ${found}, not ${sha256}`);
    const { matrix: sum } = await readSquare(file, SUM, this.options.width);
    try {
      return await call(() => addon().createSecondMomentFromSum(sum, count, this.options.precision));
    } finally {
      sum.dispose();
    }
  }
}

function sumName(generation: number, layer: number): string {
  return `${generation}-layer-${layer}.safetensors`;
}
