import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { setTimeout } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { PageServer } from "../../src/watch/page-server.js";

let server: PageServer;
afterEach(() => server.stop());

async function ask(path: string, { method = "GET", headers = {} } = {}): Promise<IncomingMessage> {
  const asked = request(server.address, { path, method, headers, agent: false });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  return response.setEncoding("utf8");
}

async function text(response: IncomingMessage): Promise<string> {
  let all = "";
  for await (const part of response) all += part;
  return all;
}

/** Lets a stream be read until it holds something. */
async function until(stream: { text: string }, wanted: string): Promise<void> {
  while (!stream.text.includes(wanted)) await setTimeout(5);
}

async function follow(): Promise<{ response: IncomingMessage; text: string }> {
  const response = await ask("/events");
  const stream = { response, text: "" };
  response.on("data", (part: string) => {
    stream.text += part;
  });
  return stream;
}

describe("PageServer", () => {
  it("makes the page once for each change, and again after it could not be made", async () => {
    let made = 0;
    server = await PageServer.start(0, async () => {
      made += 1;
      if (made === 2) throw new Error("no disk");
      return `page ${made}`;
    });
    expect(await Promise.all([ask("/").then(text), ask("/").then(text)])).toEqual(["page 1", "page 1"]);
    server.announce("batch", "1");
    const failed = await ask("/");
    expect([failed.statusCode, await text(failed)]).toEqual([500, "The page cannot be made: no disk\n"]);
    expect(await text(await ask("/"))).toBe("page 3");
    expect(await text(await ask("/"))).toBe("page 3");
  });

  it("tells everybody who follows of every change, and waits at the end until they have gone", async () => {
    server = await PageServer.start(0, async () => "page");
    const [one, other] = [await follow(), await follow()];
    server.announce("batch", "1");
    server.announce("batch", "2");
    let closed = false;
    const closing = server.close().then(() => {
      closed = true;
    });
    for (const stream of [one, other]) {
      await until(stream, "end");
      expect(stream.text).toBe(
        "retry: 1000\n\nid: 1\nevent: batch\ndata: 1\n\nid: 2\nevent: batch\ndata: 2\n\nid: 3\nevent: end\ndata: \n\n",
      );
    }
    expect(await text(await ask("/"))).toBe("page");
    one.response.destroy();
    await setTimeout(20);
    expect(closed).toBe(false);
    other.response.destroy();
    await closing;
    await expect(ask("/")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("closes at once when it is told to stop, whoever follows", async () => {
    server = await PageServer.start(0, async () => "page");
    const { response } = await follow();
    const gone = once(response, "close").catch(() => undefined);
    response.on("error", () => undefined);
    server.stop();
    await gone;
    server.announce("batch", "1"); // a run may still say something
    await expect(ask("/")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("knows the page and the events, and no other path or method", async () => {
    server = await PageServer.start(0, async () => "page");
    for (const path of ["/x", "/?x", "//", "/events/", "/run.json", "/../etc/passwd", "/%2e%2e/"]) {
      expect((await ask(path)).statusCode).toBe(404);
    }
    for (const method of ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"]) {
      for (const path of ["/", "/events"]) {
        const { statusCode, headers } = await ask(path, { method });
        expect({ statusCode, allow: headers.allow }).toEqual({ statusCode: 405, allow: "GET" });
      }
    }
  });

  it("refuses who takes it for another host", async () => {
    server = await PageServer.start(0, async () => "page");
    const { port } = new URL(server.address);
    for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1", "127.0.0.1:1", `127.0.0.1.evil:${port}`]) {
      for (const path of ["/", "/events"]) expect((await ask(path, { headers: { host } })).statusCode).toBe(403);
    }
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`]) {
      expect((await ask("/", { headers: { host } })).statusCode).toBe(200);
    }
    const socket = connect(Number(port), "127.0.0.1").setEncoding("utf8");
    socket.write("GET / HTTP/1.0\r\n\r\n");
    const [answer] = (await once(socket, "data")) as [string];
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    socket.destroy();
  });

  it("listens on the loopback address alone", async () => {
    server = await PageServer.start(0, async () => "page");
    const { port, hostname } = new URL(server.address);
    expect(hostname).toBe("127.0.0.1");
    const others = Object.values(networkInterfaces()).flatMap((all) => all!.filter((one) => !one.internal));
    for (const { address, scopeid } of others.map((one) => ({ scopeid: 0, ...one }))) {
      const host = scopeid ? `${address}%${scopeid}` : address;
      const connected = once(connect({ port: Number(port), host, timeout: 2000 }), "connect");
      await expect(
        Promise.race([connected, setTimeout(2000).then(() => Promise.reject("timeout"))]),
      ).rejects.toBeDefined();
    }
  });

  it("names a port that is taken", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    await expect(PageServer.start(port, async () => "")).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringContaining(`127.0.0.1:${port}: it is in use`),
    });
    taken.close();
  });

  it("lets no more than 32 follow", async () => {
    server = await PageServer.start(0, async () => "page");
    const all = await Promise.all(Array.from({ length: 33 }, () => ask("/events")));
    expect(all.map(({ statusCode }) => statusCode).sort()).toEqual([...Array(32).fill(200), 503]);
    for (const response of all) response.on("error", () => undefined);
  });
});
