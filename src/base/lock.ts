import { randomUUID } from "node:crypto";
import { link, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { LyaplockError } from "../errors.js";
import { throwIfAborted } from "./abort.js";
import { named } from "./files.js";

/** Who holds a lock. A process id alone can come back as another process, so its start is kept where it is known. */
const holderSchema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  /** Clock ticks between boot and start, from /proc; null where there is no /proc. */
  started: z.string().nullable(),
  token: z.string(),
});
type Holder = z.infer<typeof holderSchema>;

/** Milliseconds between two looks at a lock that is waited for. */
const PATIENCE = 300;

/** The lock is another's, who lives as far as can be told. */
class HeldError extends LyaplockError {
  constructor(message: string) {
    super("ERR_RUN_DIRECTORY", message);
  }
}

/** Locks this process holds, so that it does not take its own for a dead process's. */
const held = new Set<string>();

/**
 * A lock file that names its holder. The lock of a process that has died is taken over.
 *
 * The file comes into place by `link`, which fails if there is one, and is whole from the first instant on.
 */
export class Lock {
  private constructor(
    private readonly path: string,
    private readonly token: string,
  ) {}

  /** ERR_RUN_DIRECTORY if a live process holds it, or one on another machine does. */
  static acquire(path: string): Promise<Lock> {
    return Lock.acquireBeside(path, path);
  }

  /**
   * Waits while another holds it.
   *
   * @param onWait - Told once, in a sentence, that there is somebody to wait for.
   * @throws ERR_ABORTED
   */
  static async acquireWhenFree(
    path: string,
    { onWait, signal }: { onWait?(who: string): void; signal?: AbortSignal } = {},
  ): Promise<Lock> {
    for (let tries = 0; ; tries++) {
      throwIfAborted(signal);
      const lock = await Lock.acquireIfFree(path, tries === 0 ? onWait : undefined);
      if (lock !== undefined) return lock;
      await setTimeout(PATIENCE, undefined, { signal }).catch(() => throwIfAborted(signal));
    }
  }

  /** Undefined while another holds it; `onHeld` is told who, in a sentence. */
  static async acquireIfFree(path: string, onHeld?: (who: string) => void): Promise<Lock | undefined> {
    try {
      return await Lock.acquire(path);
    } catch (error) {
      if (!(error instanceof HeldError)) throw error;
      onHeld?.(error.message);
      return undefined;
    }
  }

  /** @param beside - What the files that come and go meanwhile are named after. */
  private static async acquireBeside(path: string, beside: string): Promise<Lock> {
    const token = randomUUID();
    const own = `${beside}.${token}`;
    const holder: Holder = { pid: process.pid, host: hostname(), started: await startOf(process.pid), token };
    return named("lock", path, async () => {
      held.add(token); // before the file can be seen: others in this process would take it for a dead one's
      try {
        await writeFile(own, JSON.stringify(holder));
        while (!(await linkIfAbsent(own, path))) await Lock.removeIfStale(path, beside);
        return new Lock(path, token);
      } catch (error) {
        held.delete(token);
        throw error;
      } finally {
        await rm(own, { force: true });
      }
    });
  }

  /** Throws like `acquire` if someone holds the lock, and changes nothing. */
  static async refuseIfHeld(path: string): Promise<void> {
    const holder = await readHolder(path);
    if (holder !== undefined) await refuseIfAlive(path, holder);
  }

  /**
   * Several may find the same stale lock. Removing it is itself done under a lock, named after the stale one's token, which
   * nobody else will ever have: whoever holds that one and still finds the stale lock in place is alone in removing it.
   */
  private static async removeIfStale(path: string, beside: string): Promise<void> {
    const holder = await readHolder(path);
    if (holder === undefined) return;
    await refuseIfAlive(path, holder);
    const turn = await Lock.acquireBeside(`${beside}.removing-${holder.token}`, beside);
    try {
      if ((await readHolder(path))?.token === holder.token) await unlink(path);
    } finally {
      await turn.release();
    }
  }

  async release(): Promise<void> {
    held.delete(this.token);
    const holder = await readHolder(this.path);
    if (holder?.token === this.token) await unlink(this.path);
  }
}

async function linkIfAbsent(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Undefined where there is no lock. One that cannot be read is nobody's: `acquire` never leaves such a file. */
async function readHolder(path: string): Promise<Holder | undefined> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return holderSchema.parse(JSON.parse(content));
  } catch (error) {
    throw new LyaplockError("ERR_RUN_DIRECTORY", `${path} is not a lock of lyaplock. Look at it and remove it.`, {
      cause: error,
    });
  }
}

async function refuseIfAlive(path: string, holder: Holder): Promise<void> {
  if (holder.host !== hostname()) {
    const what = `in use by process ${holder.pid} on ${holder.host}. If that process is gone, remove the file.`;
    throw new HeldError(`${path}: ${what}`);
  }
  if (await isAlive(holder)) {
    throw new HeldError(`${path}: in use by process ${holder.pid}. Wait for it, or stop it first.`);
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  if (holder.pid === process.pid) return held.has(holder.token);
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // it lives and is someone else's
  }
  return holder.started === null || (await startOf(holder.pid)) === holder.started;
}

/** Null where /proc does not tell, or tells that the process is a zombie: dead, and not yet collected by its parent. */
async function startOf(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // After the name, which is in parentheses and may hold spaces, the fields are: 3 the state, …, 22 the start.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
