import type { ErrorCode } from "../errors.js";

/** A fact that was left out, and why. */
export interface SkippedFact {
  caseId: number;
  /** Undefined for a record that could not be read at all. */
  subject?: string;
  prompt?: string;
  problems: { code: ErrorCode; message: string }[];
}
