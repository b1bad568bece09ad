import type { FactCheck } from "../edit/checks.js";
import type { SkippedFact } from "../run/skipped.js";
import { quoted, table } from "./table.js";

/** How every fact would be edited, and what is wrong with those that cannot be. */
export function describeChecks(checks: readonly FactCheck[], unreadable: readonly SkippedFact[]): string {
  const rows = checks.map(({ fact, lookup, lookupToken, promptTokens, targetTokens, problems }) => [
    String(fact.caseId),
    quoted(fact.prompt.replace("{}", () => `[${fact.subject}]`)),
    lookup < 0 ? "" : `${quoted(lookupToken, 16)} at ${lookup}`,
    String(promptTokens),
    targetTokens.map((token) => quoted(token, 16)).join(" "),
    problems.length === 0 ? "good" : problems.map(({ code }) => code).join(" "),
  ]);
  const columns = ["case", "prompt, subject in brackets", "key at", "tokens", "target tokens", "check"];
  const bad = checks.filter(({ problems }) => problems.length > 0).map(({ fact, problems }) => ({ ...fact, problems }));
  const all = [...unreadable, ...bad];
  const messages = all.flatMap(({ caseId, problems }) => problems.map(({ message }) => `  ${caseId}: ${message}`));
  const number = checks.length + unreadable.length;
  const verdict =
    all.length === 0 ? `All ${number} facts are good.` : `${all.length} of ${number} facts cannot be edited:`;
  return [
    table(
      columns.map((heading) => ({ heading })),
      rows,
    ),
    "",
    verdict,
    ...messages,
  ].join("\n");
}
