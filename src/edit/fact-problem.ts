import type { ErrorCode } from "../errors.js";

/** What would keep a fact from being edited as it is meant. */
export interface FactProblem {
  code: ErrorCode;
  message: string;
}
