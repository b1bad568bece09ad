import { pathToFileURL } from "node:url";
import axe from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { expect } from "vitest";

/** What a fact, a model or a directory may be called, and must not do. */
export const hostile = {
  markup: `<script>document.title = "taken"</script><img src="x" onerror="document.title = 'taken'">`,
  quotes: `"'&amp;' </bdi></td></text></svg>`,
  direction: "\u202Eright to left\u202C \u2067\u05D0\u05D1\u05D2",
  control: "a\u0000b\u001Bc",
};

export interface OpenedPage {
  page: Page;
  /** Addresses that it asked for, its own and data: included. */
  requests: string[];
  complaints: string[];
}

/** Opens a file from the disk, and keeps what it asks for and what the browser complains of. */
export async function openFile(
  browser: Browser,
  path: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const [requests, complaints]: string[][] = [[], []];
  page.on("request", (request) => requests!.push(request.url()));
  page.on("console", (message) => complaints!.push(message.text()));
  page.on("pageerror", (error) => complaints!.push(error.message));
  page.on("dialog", (dialog) => complaints!.push(dialog.message()));
  await page.goto(pathToFileURL(path).href);
  return { page, requests: requests!, complaints: complaints! };
}

/** The file asks for nothing but itself, has no script, and the browser has no complaint. */
export async function expectSelfContained({ page, requests, complaints }: OpenedPage, path: string): Promise<void> {
  expect(requests.filter((url) => !url.startsWith("data:"))).toEqual([pathToFileURL(path).href]);
  expect(complaints).toEqual([]);
  expect(await page.locator("script, link:not([rel=icon]), iframe, img").count()).toBe(0);
}

/**
 * axe-core finds nothing.
 *
 * @param opened - What is unfolded first, of all that is folded: it looks at every cell, and takes its time.
 */
export async function expectAccessible(
  browser: Browser,
  path: string,
  colorScheme: "light" | "dark",
  opened = "details",
): Promise<void> {
  const { page } = await openFile(browser, path, { colorScheme, bypassCSP: true });
  await page.evaluate(`for (const details of document.querySelectorAll("${opened}")) details.open = true`);
  await page.evaluate(axe.source);
  const { violations, passes } = (await page.evaluate("axe.run()")) as axe.AxeResults;
  expect(passes.length).toBeGreaterThan(10);
  expect(violations.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes[0]?.html}`)).toEqual([]);
}

/** Outside of what isolates them, no text has marks that turn what follows. */
export async function expectDirectionsIsolated(page: Page): Promise<void> {
  const outside = await page.evaluate(`(() => {
    const body = document.body.cloneNode(true);
    for (const isolated of body.querySelectorAll("bdi, pre, svg")) isolated.remove();
    return body.textContent;
  })()`);
  expect(outside).not.toMatch(/[\u202A-\u202E\u2066-\u2069]/);
}

export type ListedRow = Record<string, number | string | null>;

/** The rows of the table beside a plot, by the headings of its columns. */
export function listedData(page: Page, id: string): Promise<ListedRow[]> {
  return listedRows(page, `#${id} details tr`);
}

/** The rows of a table of the page, by the headings of its columns. */
export async function listedRows(page: Page, selector: string): Promise<ListedRow[]> {
  const script = `[...document.querySelectorAll(${JSON.stringify(selector)})].map((row) =>
    [...row.children].map((cell) => {
      const data = cell.querySelector("data");
      return data === null ? cell.textContent : Number(data.getAttribute("value"));
    }))`;
  const [headings, ...rows] = (await page.evaluate(script)) as (string | number)[][];
  const value = (cell: string | number) =>
    cell === "–" ? null : typeof cell === "string" && /^\d+$/.test(cell) ? Number(cell) : cell;
  return rows.map((row) => Object.fromEntries(row.map((cell, index) => [String(headings![index]), value(cell)])));
}
