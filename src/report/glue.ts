import { type GlueScores, glueTasks } from "../evaluate/index.js";
import { table } from "./table.js";

/** The six tasks and their mean, as text. */
export function describeGlue({ tasks, f1, f1New }: GlueScores): string {
  const names = Object.keys(tasks) as (keyof typeof tasks)[];
  const rows = names.map((name) => {
    const { correct, incorrect, invalid, total, f1, f1New, mcc } = tasks[name];
    const counts = [correct, incorrect, invalid, total].map(String);
    return [glueTasks[name].title, ...counts, ...[f1, f1New, mcc].map((figure) => figure.toFixed(3))];
  });
  const headings = ["correct", "incorrect", "no answer", "tests", "F1", "F1, most probable", "MCC"];
  const columns = [{ heading: "task" }, ...headings.map((heading) => ({ heading, align: "right" as const }))];
  rows.push(["mean", "", "", "", "", f1.toFixed(3), f1New.toFixed(3), ""]);
  const tooLong = names.reduce((sum, name) => sum + tasks[name].tooLong, 0);
  const left = tooLong === 0 ? "" : `\n\n${tooLong} tests were left out: the model has too few positions for them.`;
  return table(columns, rows) + left;
}
