import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { LyaplockError } from "../errors.js";

/** A file of a package index, and what has to be sent to be given it. */
export interface IndexFile {
  url: string;
  headers: Record<string, string>;
}

/**
 * The package index that pip would use here: PIP_INDEX_URL, pip's own configuration, or its default, which its help names.
 *
 * @throws ERR_NETWORK where there is no pip to ask
 */
export async function packageIndex(environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  const configured = environment.PIP_INDEX_URL ?? (await pipSays(["config", "get", "global.index-url"]))?.trim();
  if (configured) return configured;
  const [, byDefault] =
    /--index-url[^(]*\(default\s+(https:[^\s)]+)\)/.exec((await pipSays(["download", "--help"])) ?? "") ?? [];
  if (byDefault) return byDefault;
  throw new LyaplockError("ERR_NETWORK", "there is no pip that knows a package index; name one with PIP_INDEX_URL");
}

/** What pip prints; undefined where it fails, or is not there. */
async function pipSays(args: string[]): Promise<string | undefined> {
  try {
    return (await promisify(execFile)("pip", args, { timeout: 20_000 })).stdout;
  } catch {
    return undefined;
  }
}

/**
 * Finds a file of a package in an index (PEP 503, the HTML that every index serves).
 *
 * @throws ERR_NETWORK when the index cannot be asked or does not have the file
 */
export async function findInIndex(
  index: string,
  packageName: string,
  fileName: string,
  signal?: AbortSignal,
): Promise<IndexFile> {
  const { url: page, headers } = withoutCredentials(new URL(`${packageName}/`, `${index.replace(/\/+$/, "")}/`));
  const response = await request(page, { ...headers, accept: "text/html" }, signal);
  const html = await readBody(response, page);
  for (const [, link] of html.matchAll(/<a\b[^>]*?\bhref\s*=\s*["']([^"']+)["']/gi)) {
    const target = new URL(link!.replaceAll("&amp;", "&"), page);
    if (decodeURIComponent(target.pathname.split("/").at(-1)!) !== fileName) continue;
    target.hash = "";
    const found = withoutCredentials(target);
    // What opens the index is for its own host alone.
    return target.host === new URL(page).host ? { url: found.url, headers: { ...headers, ...found.headers } } : found;
  }
  throw new LyaplockError(
    "ERR_NETWORK",
    `${page} does not list ${fileName}. Is PIP_INDEX_URL the index that is meant?`,
  );
}

/** GET. @throws ERR_NETWORK for anything but success, ERR_ABORTED */
export async function request(url: string, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { headers, signal: signal ?? null });
  } catch (error) {
    throw networkError(url, error, signal);
  }
  if (!response.ok) {
    await response.body?.cancel();
    throw new LyaplockError("ERR_NETWORK", `${url} answered ${response.status} ${response.statusText}`);
  }
  return response;
}

/** What went wrong under way, with what the operating system says of it. */
export function networkError(url: string, error: unknown, signal?: AbortSignal): LyaplockError {
  if (error instanceof LyaplockError) return error;
  if (signal?.aborted) return new LyaplockError("ERR_ABORTED", "the download was stopped", { cause: signal.reason });
  const { message, cause } = error as Error;
  const reason = cause instanceof Error && cause.message !== "" ? cause.message : message;
  return new LyaplockError("ERR_NETWORK", `${url} cannot be downloaded: ${reason}. Try again, or set PIP_INDEX_URL.`, {
    cause: error,
  });
}

async function readBody(response: Response, url: string): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    throw networkError(url, error);
  }
}

/** fetch refuses addresses with a name and password in them; they go into a header. */
function withoutCredentials(address: URL): IndexFile {
  const { username, password } = address;
  if (username === "" && password === "") return { url: address.href, headers: {} };
  const plain = new URL(address);
  plain.username = "";
  plain.password = "";
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { url: plain.href, headers: { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` } };
}
