import { rm, stat } from "node:fs/promises";
import { z } from "zod";
import { contentHash } from "../base/content-hash.js";
import { fileError } from "../base/file-error.js";
import { sealFile } from "../base/files.js";
import { describeIssues, readJsonFile } from "../base/json-file.js";
import { writeWhole } from "../base/write-whole.js";
import type { SecondMoment } from "../edit/second-moments.js";
import { LyaplockError } from "../errors.js";
import type { NativeMatrix } from "../native/addon.js";
import { addon, call } from "../native/index.js";
import { readLayerMoment, readSquare, writeLayerMoment } from "./layer-moment-file.js";
import { type EntryPaths, setAside, VERSION } from "./second-moments-place.js";

const FACTOR = "factor";

const fileSchema = z.object({ sha256: z.string().length(64), bytes: z.number().int().positive() });

const descriptionSchema = z.object({
  version: z.literal(VERSION),
  moment: fileSchema,
  /** Null where the moment is not positive definite, as one over fewer tokens than it is wide. */
  factor: fileSchema.nullable(),
  model: z.string(),
  layer: z.number().int().nonnegative(),
  /** d, of a moment [d, d]. */
  width: z.number().int().positive(),
  tokens: z.number().int().positive(),
  precision: z.enum(["float64", "float32"]),
  /** Tokens of a text that were used at most. */
  maxLength: z.number().int().positive(),
  created: z.iso.datetime(),
});

/** What is in the JSON file of an entry: its files, and what it was made of. */
export type EntryDescription = z.infer<typeof descriptionSchema>;

/** Told of what was set aside because it cannot be trusted. */
export type OnDamaged = (entry: { path: string; movedTo: string; reason: string }) => void;

/** @throws ERR_FILE, ERR_MODEL_FORMAT when it is not the description of an entry of this version */
export async function readDescription(file: string): Promise<EntryDescription> {
  const parsed = descriptionSchema.safeParse(await readJsonFile(file, "ERR_MODEL_FORMAT"));
  if (parsed.success) return parsed.data;
  throw new LyaplockError("ERR_MODEL_FORMAT", `${file}: ${describeIssues(parsed.error)}`);
}

/** One layer's second moment in the cache, its Cholesky factor beside it. Whoever writes holds the lock of the place. */
export class MomentEntry {
  constructor(readonly paths: EntryPaths) {}

  get layer(): number {
    return this.paths.layer;
  }

  /** Undefined unless the entry is there, and whole to the last bit. The caller disposes of the covariance. */
  async readIfWhole(width: number): Promise<SecondMoment | undefined> {
    try {
      return await this.read(width);
    } catch {
      return undefined;
    }
  }

  /** The same; what is there and not whole is set aside and reported. */
  async readOrSetAside(width: number, onDamaged: OnDamaged | undefined): Promise<SecondMoment | undefined> {
    try {
      return await this.read(width);
    } catch (error) {
      if (isMissing(error)) return undefined;
      await this.setAside((error as Error).message, onDamaged);
      return this.readIfWhole(width);
    }
  }

  /** @throws ERR_FILE, ERR_MODEL_FORMAT when the entry is not whole */
  async verify(): Promise<EntryDescription> {
    const description = await readDescription(this.paths.description);
    await verifyFile(this.paths.moment, description.moment);
    if (description.factor !== null) await verifyFile(this.paths.factor, description.factor);
    return description;
  }

  /** A factor alone is made again at once: its moment may have taken hours, and it takes seconds. */
  async setAside(reason: string, onDamaged: OnDamaged | undefined): Promise<void> {
    const { description, moment, factor } = this.paths;
    const whole = await this.readMomentIfWhole();
    if (whole !== undefined) {
      onDamaged?.({ path: factor, movedTo: await setAside(factor), reason });
      try {
        await this.write(whole.moment, whole.description);
      } finally {
        whole.moment.covariance.dispose();
      }
      return;
    }
    await rm(description, { force: true }); // first: without it nobody takes the rest for an entry
    await setAside(factor);
    onDamaged?.({ path: moment, movedTo: await setAside(moment), reason });
  }

  /** Factors the moment, and writes both and then their description. @throws ERR_FILE */
  async write(moment: SecondMoment, made: Pick<EntryDescription, "model" | "precision" | "maxLength">): Promise<void> {
    const { description, moment: momentFile, factor: factorFile } = this.paths;
    const { model, precision, maxLength } = made;
    try {
      await writeLayerMoment(momentFile, moment, {
        layer: String(this.layer),
        ...{ model, precision, maxLength: String(maxLength) },
      });
      const factor = await factorOf(moment);
      if (factor !== undefined) {
        await call(() => addon().writeTensors(factorFile, { [FACTOR]: factor }, { layer: String(this.layer) }));
        factor.dispose();
      }
      const entry: EntryDescription = {
        version: VERSION,
        moment: await seal(momentFile),
        factor: factor === undefined ? null : await seal(factorFile),
        ...{ model, precision, maxLength },
        layer: this.layer,
        width: moment.covariance.rows,
        tokens: moment.count,
        created: new Date().toISOString(),
      };
      await writeWhole(description, `${JSON.stringify(entry, null, 2)}\n`);
    } catch (error) {
      throw fileError("write second moments into the cache,", momentFile, error);
    }
  }

  private async readMomentIfWhole(): Promise<{ moment: SecondMoment; description: EntryDescription } | undefined> {
    const { description: file, moment } = this.paths;
    try {
      const description = await readDescription(file);
      await verifyFile(moment, description.moment);
      return { moment: await readLayerMoment(moment, description.width), description };
    } catch {
      return undefined;
    }
  }

  private async read(width: number): Promise<SecondMoment> {
    const description = await this.verify();
    const moment = await readLayerMoment(this.paths.moment, width);
    if (description.factor === null) return moment;
    return { ...moment, factor: async () => (await readSquare(this.paths.factor, FACTOR, width)).matrix };
  }
}

async function factorOf({ covariance }: SecondMoment): Promise<NativeMatrix | undefined> {
  try {
    const space = await call(() => addon().createKeySpace(covariance, 0));
    try {
      return await call(() => space.factor());
    } finally {
      space.dispose();
    }
  } catch (error) {
    if ((error as LyaplockError).code === "ERR_NOT_POSITIVE_DEFINITE") return undefined;
    throw error;
  }
}

async function seal(file: string): Promise<{ sha256: string; bytes: number }> {
  const sha256 = await sealFile(file);
  return { sha256, bytes: (await stat(file)).size };
}

async function verifyFile(file: string, { sha256 }: { sha256: string }): Promise<void> {
  const found = await contentHash([file]);
  if (found !== sha256) throw new LyaplockError("ERR_FILE", `${file}: its checksum is ${found}, not ${sha256}`);
}

/** True when there is no entry, or only files whose entry was never finished. */
function isMissing(error: unknown): boolean {
  const cause = error instanceof LyaplockError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === "ENOENT" && cause.path?.endsWith(".json") === true;
}
