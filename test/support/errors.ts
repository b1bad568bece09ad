import { expect } from "vitest";
import { type ErrorCode, LyaplockError } from "../../src/errors.js";

/** Expects a LyaplockError of one code whose message holds all of `parts`: what was wrong, and where. */
export async function expectRejection(work: Promise<unknown>, code: ErrorCode, ...parts: string[]): Promise<void> {
  const error = await work.then(
    () => expect.fail(`resolved, where ${code} was expected`),
    (reason: unknown) => reason,
  );
  checkError(error, code, parts);
}

/** The same for a function that throws. */
export function expectThrow(work: () => unknown, code: ErrorCode, ...parts: string[]): void {
  let thrown: unknown;
  try {
    work();
  } catch (error) {
    thrown = error;
  }
  checkError(thrown, code, parts);
}

function checkError(error: unknown, code: ErrorCode, parts: string[]): void {
  expect(error).toBeInstanceOf(LyaplockError);
  const { code: found, message } = error as LyaplockError;
  expect({ code: found, message }).toMatchObject({ code });
  for (const part of parts) expect(message).toContain(part);
}
