import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { onTestFinished, vi } from "vitest";
import { temporaryDirectory } from "./temporary.js";

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** One repository on a hub of our own, which speaks what a download needs: revision, tree, and files by ranges. */
export class TestHub {
  /** Every request, as "GET path". */
  readonly requests: string[] = [];
  /** What branches and tags stand for. */
  readonly revisions: Record<string, string> = { main: COMMIT, v1: COMMIT };
  /** Where set, who does not bring it is sent away. */
  token: string | undefined;
  /** After so many bytes of a file the connection is cut; each time once. */
  readonly cuts: Record<string, number[]> = {};
  /** Changes how files are listed. */
  tree: (entries: TreeEntry[]) => TreeEntry[] = (entries) => entries;

  private constructor(
    readonly repository: string,
    readonly files: Map<string, Buffer>,
  ) {}

  /** Serves a directory's files until the test has finished, to whoever follows the environment; with a cache of its own. */
  static async serving(directory: string, repository = "test-org/tiny-llama"): Promise<TestHub> {
    const names = readdirSync(directory);
    const hub = new TestHub(repository, new Map(names.map((name) => [name, readFileSync(path.join(directory, name))])));
    const server = createServer((request, response) => hub.answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
      vi.unstubAllEnvs();
    });
    vi.stubEnv("HF_ENDPOINT", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv("LYAPLOCK_CACHE", await temporaryDirectory());
    return hub;
  }

  /** How often a file's content was asked for, its size apart. */
  downloads(name: string): number {
    return this.requests.filter((request) => request.endsWith(`/${name}`)).length;
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url!, "http://hub");
    if (request.headers.range !== "bytes=0-0") this.requests.push(`${request.method} ${pathname}`);
    const [, revision] = new RegExp(`^/api/models/${this.repository}/revision/(.+)$`).exec(pathname) ?? [];
    const [, name = ""] = new RegExp(`^/${this.repository}/resolve/${COMMIT}/(.+)$`).exec(pathname) ?? [];
    const sha = revision && this.revisions[decodeURIComponent(revision)];
    const content = this.files.get(name);
    if (this.token !== undefined && request.headers.authorization !== `Bearer ${this.token}`) {
      send(response, 401, { error: "Invalid credentials" });
    } else if (sha) {
      send(response, 200, modelInfo(sha));
    } else if (pathname === `/api/models/${this.repository}/tree/${COMMIT}`) {
      send(response, 200, this.entries());
    } else if (content !== undefined) {
      this.sendFile(name, content, request.headers.range, response);
    } else {
      response.setHeader("X-Error-Code", revision ? "RevisionNotFound" : "EntryNotFound");
      send(response, 404, { error: "not found" });
    }
  }

  private entries(): TreeEntry[] {
    return this.tree([...this.files].map(([name, content]) => treeEntry(name, content)));
  }

  private sendFile(name: string, content: Buffer, range: string | undefined, response: ServerResponse): void {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
    const piece = from === undefined ? content : content.subarray(Number(from), Number(to) + 1);
    response.writeHead(from === undefined ? 200 : 206, {
      ETag: `"${name}"`,
      "Content-Length": piece.length,
      "Accept-Ranges": "bytes",
      ...(from === undefined ? {} : { "Content-Range": `bytes ${from}-${to}/${content.length}` }),
    });
    const cut = range === "bytes=0-0" ? undefined : this.cuts[name]?.shift();
    if (cut === undefined) response.end(piece);
    else response.write(piece.subarray(0, cut), () => response.destroy());
  }
}

export interface TreeEntry {
  type: "file" | "directory";
  path: string;
  size: number;
  oid: string;
  lfs?: { oid: string; size: number; pointerSize: number };
}

function treeEntry(name: string, content: Buffer): TreeEntry {
  const oid = createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
  const entry: TreeEntry = { type: "file", path: name, size: content.length, oid };
  if (!name.endsWith(".safetensors")) return entry;
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { ...entry, lfs: { oid: sha256, size: content.length, pointerSize: 134 } };
}

function modelInfo(sha: string): object {
  return {
    _id: "1",
    id: "test",
    sha,
    private: false,
    downloads: 0,
    gated: false,
    likes: 0,
    lastModified: "2026-01-01",
  };
}

function send(response: ServerResponse, status: number, json: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(json));
}
