import { expect, it } from "vitest";
import { memorySize } from "../../src/base/memory-size.js";

it.each([
  [0, "0.0 MiB"],
  [21.4 * 2 ** 20, "21.4 MiB"],
  [999 * 2 ** 20, "999.0 MiB"],
  [1000 * 2 ** 20, "0.98 GiB"],
  [1.25 * 2 ** 30, "1.25 GiB"],
  [8190 * 2 ** 30, "8.0 TiB"],
])("%d bytes are %s", (bytes, text) => {
  expect(memorySize(bytes)).toBe(text);
});
