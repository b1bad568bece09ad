import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Lock } from "../../src/base/lock.js";

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "lyaplock-lock-"));
  path = join(directory, "lock");
});
afterEach(() => rm(directory, { recursive: true }));

/** A lock as another process would have left it. */
async function leave(holder: { pid: number; host?: string; started?: string | null }): Promise<void> {
  await writeFile(path, JSON.stringify({ host: hostname(), started: null, token: "another", ...holder }));
}

async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  return child.pid!;
}

describe("Lock", () => {
  it("is held by one and free after release", async () => {
    const lock = await Lock.acquire(path);
    await expect(Lock.acquire(path)).rejects.toMatchObject({
      code: "ERR_RUN_DIRECTORY",
      message: expect.stringContaining(String(process.pid)),
    });
    await lock.release();
    expect(await readdir(directory)).toEqual([]);
    await (await Lock.acquire(path)).release();
  });

  it("is refused while another process that holds it lives", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    try {
      await leave({ pid: child.pid! });
      await expect(Lock.acquire(path)).rejects.toMatchObject({ code: "ERR_RUN_DIRECTORY" });
      await expect(Lock.refuseIfHeld(path)).rejects.toMatchObject({ code: "ERR_RUN_DIRECTORY" });
      expect(await readdir(directory)).toEqual(["lock"]);
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  });

  it("is taken over from a process that has died", async () => {
    await leave({ pid: await deadProcess() });
    const lock = await Lock.acquire(path);
    expect(JSON.parse(await readFile(path, "utf8")).pid).toBe(process.pid);
    await lock.release();
    expect(await readdir(directory)).toEqual([]);
  });

  it("is taken over when the process id has gone to another process since", async () => {
    // Our own parent lives, but did not start at the tick that the lock tells.
    await leave({ pid: process.ppid, started: "1" });
    await (await Lock.acquire(path)).release();
  });

  it("is taken over when our own process id was that of the dead holder, as in a container", async () => {
    await leave({ pid: process.pid, started: "1" });
    await (await Lock.acquire(path)).release();
  });

  it("is not taken over from another machine, whose processes we cannot see", async () => {
    await leave({ pid: await deadProcess(), host: "elsewhere" });
    await expect(Lock.acquire(path)).rejects.toMatchObject({ message: expect.stringContaining("elsewhere") });
  });

  it("goes to exactly one of many that find the same stale lock", async () => {
    await leave({ pid: await deadProcess() });
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => Lock.acquire(path)));
    const won = results.filter((result) => result.status === "fulfilled");
    expect(won).toHaveLength(1);
    await won[0]!.value.release();
    expect(await readdir(directory)).toEqual([]);
  });

  it("does not remove a lock that is no longer its own", async () => {
    const lock = await Lock.acquire(path);
    await leave({ pid: process.ppid });
    await lock.release();
    expect(await readdir(directory)).toEqual(["lock"]);
  });

  it("is waited for, by as many as want it, one at a time", async () => {
    const told: string[] = [];
    let inside = 0;
    let most = 0;
    const work = async () => {
      const lock = await Lock.acquireWhenFree(path, { onWait: (who) => told.push(who) });
      inside++;
      most = Math.max(most, inside);
      await readdir(directory);
      inside--;
      await lock.release();
    };
    const first = await Lock.acquire(path);
    const waiting = [work(), work(), work()];
    expect(await Lock.acquireIfFree(path, (who) => told.push(who))).toBeUndefined();
    await vi.waitFor(() => expect(told).toHaveLength(4)); // all have looked, and found it held
    await first.release();
    await Promise.all(waiting);
    expect(most).toBe(1);
    expect(told).toHaveLength(4);
    for (const who of told) expect(who).toContain(String(process.pid));
    expect(await readdir(directory)).toEqual([]);
  });

  it("is no longer waited for when the signal fires", async () => {
    const lock = await Lock.acquire(path);
    const controller = new AbortController();
    const waiting = Lock.acquireWhenFree(path, { signal: controller.signal, onWait: () => controller.abort() });
    await expect(waiting).rejects.toMatchObject({ code: "ERR_ABORTED" });
    await lock.release();
    expect(await readdir(directory)).toEqual([]);
  });
});
