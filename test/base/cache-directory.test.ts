import { homedir } from "node:os";
import { expect, it } from "vitest";
import { cacheDirectory } from "../../src/base/cache-directory.js";

it("the cache is where it was asked to be", () => {
  expect(cacheDirectory({ LYAPLOCK_CACHE: "/a", XDG_CACHE_HOME: "/b" })).toBe("/a");
  expect(cacheDirectory({ XDG_CACHE_HOME: "/b" })).toBe("/b/lyaplock");
  expect(cacheDirectory({ XDG_CACHE_HOME: "" })).toBe(`${homedir()}/.cache/lyaplock`);
});
