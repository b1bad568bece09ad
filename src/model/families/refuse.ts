import { LyaplockError } from "../../errors.js";

/** @throws ERR_UNSUPPORTED if a configuration wants what native/model does not compute. */
export function refuse(wanted: boolean | null | undefined, what: string): void {
  if (wanted) throw new LyaplockError("ERR_UNSUPPORTED", `${what} is not supported`);
}
