import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { LyaplockError } from "../errors.js";

/** The machine's own address: nobody else can reach it. */
const LOOPBACK = "127.0.0.1";

/** Pages that follow at once; more are refused. */
const MOST_STREAMS = 32;

/** Milliseconds that those who follow have for reading the last page. */
const PATIENCE = 5000;

/** For pages and refusals: nobody keeps them, guesses their kind, or shows them inside of something else. */
const guarded = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy": "frame-ancestors 'none'",
  "Referrer-Policy": "no-referrer",
};

/**
 * Serves one page that changes, to this machine alone: the page at /, and at /events a stream of server-sent events that says when
 * to read it again. Everything else is 404, and 405 by other methods than GET. A request must name the server as loopback: the
 * address that another site's name is made to lead to (DNS rebinding) is refused.
 */
export class PageServer {
  private readonly streams = new Set<ServerResponse>();
  private version = 0;
  private rendered: { version: number; page: Promise<string> } | undefined;

  private constructor(
    private readonly server: Server,
    private readonly port: number,
    private readonly render: () => Promise<string>,
  ) {
    server.on("request", (request, response) => void this.answer(request, response));
  }

  /**
   * @param port - 0 for one that is free.
   * @param render - Makes the page. Called when somebody reads it, once until it changes again.
   * @throws ERR_INVALID_ARGUMENT where the port cannot be had
   */
  static async start(port: number, render: () => Promise<string>): Promise<PageServer> {
    const server = createServer();
    try {
      server.listen(port, LOOPBACK);
      await once(server, "listening");
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code === "EADDRINUSE" ? "it is in use" : (error as Error).message;
      const what = `cannot listen on ${LOOPBACK}:${port}: ${reason}. Take another port, or none for one that is free.`;
      throw new LyaplockError("ERR_INVALID_ARGUMENT", what, { cause: error });
    }
    return new PageServer(server, (server.address() as AddressInfo).port, render);
  }

  get address(): string {
    return `http://${LOOPBACK}:${this.port}/`;
  }

  /** Tells those who follow that the page has changed. */
  announce(event: string, data: string): void {
    this.version += 1;
    for (const stream of this.streams) stream.write(`id: ${this.version}\nevent: ${event}\ndata: ${data}\n\n`);
  }

  /** Lets those who follow read the page a last time, for so long as they may reasonably take, and closes. */
  async close(): Promise<void> {
    this.announce("end", "");
    const waiting = new AbortController();
    const gone = Promise.all([...this.streams].map((stream) => once(stream, "close")));
    await Promise.race([gone, setTimeout(PATIENCE, undefined, { signal: waiting.signal }).catch(() => undefined)]);
    waiting.abort();
    this.stop();
  }

  /** Closes at once. */
  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
    this.streams.clear();
  }

  private async answer({ headers, method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (headers.host !== `${LOOPBACK}:${this.port}` && headers.host !== `localhost:${this.port}`) {
      return refuse(response, 403, `This is not ${headers.host ?? "your host"}.`);
    }
    if (url !== "/" && url !== "/events") return refuse(response, 404, "There is nothing here.");
    if (method !== "GET") return refuse(response, 405, "This can only be read.", { Allow: "GET" });
    if (url === "/events") return this.stream(response);
    try {
      const page = await this.page();
      response.writeHead(200, { ...guarded, "Content-Type": "text/html; charset=utf-8" }).end(page);
    } catch (error) {
      refuse(response, 500, `The page cannot be made: ${error instanceof Error ? error.message : error}`);
    }
  }

  private stream(response: ServerResponse): void {
    if (this.streams.size >= MOST_STREAMS) {
      refuse(response, 503, "Too many follow this already.");
      return;
    }
    response.writeHead(200, { ...guarded, "Content-Type": "text/event-stream" });
    response.write("retry: 1000\n\n"); // sends the head at once
    this.streams.add(response);
    response.on("error", () => undefined); // a reader who has gone; "close" follows
    response.on("close", () => this.streams.delete(response));
  }

  private page(): Promise<string> {
    const { version } = this;
    if (this.rendered?.version !== version) {
      const page = this.render();
      this.rendered = { version, page };
      page.catch(() => {
        if (this.rendered?.page === page) this.rendered = undefined; // the next reader has it tried again
      });
    }
    return this.rendered.page;
  }
}

function refuse(response: ServerResponse, status: number, why: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { ...guarded, ...headers, "Content-Type": "text/plain; charset=utf-8" }).end(`${why}\n`);
}
