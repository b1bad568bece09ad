import type { CaseStudy, RunFiles, TraceFiles } from "../../run/index.js";

/** What a page is made of. */
export interface PageMaterial {
  runs: readonly RunFiles[];
  caseStudies: readonly CaseStudy[];
  /** Default: none. */
  traces?: readonly TraceFiles[];
}
