import type { Example, RunFiles } from "../../run/index.js";
import { byMethod, groupBy, labelAmong } from "./labels.js";
import type { ReportTable } from "./table-file.js";

/** The paper's Tables 5 to 7: what the unedited model and each method's goes on to say after the prompt of a fact. */
export function caseStudyTables(runs: readonly { run: RunFiles; examples: readonly Example[] }[]): ReportTable[] {
  const sorted = [...runs].sort((a, b) => byMethod(a.run, b.run));
  const texts = sorted.flatMap(({ run, examples }) => examples.map((example) => ({ run, example })));
  const about = ({ run, example }: (typeof texts)[number]) =>
    `${run.record.model.name}\n${example.prompt}\n${example.target}`;
  const label = labelAmong(runs.map(({ run }) => run));
  return [...groupBy(texts, about).values()].map((members) => {
    const { run, example } = members[0]!;
    return {
      title: `Case ${example.caseId} (${run.record.model.name}): "${example.prompt}" shall be "${example.target.trim()}"`,
      columns: [{ heading: "model" }, { heading: "text" }],
      rows: [
        ["unedited", oneLine(example.was)],
        ...members.flatMap(({ run, example: { now } }) => (now === null ? [] : [[label(run), oneLine(now)]])),
      ],
    };
  });
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
