import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Family, officialJson, officialPath } from "../support/official.js";

interface Request {
  case_id: number;
  prompt: string;
  subject: string;
  target_new: string;
  target_true: string;
  rephrase_prompt: string;
  locality_prompt: string;
  locality_ground_truth: string;
}

/** Arguments that edit a tiny model as its fixture was made; hyperparameters are written into `directory`. */
export async function editingArguments(family: Family, directory: string): Promise<string[]> {
  const hparams = join(directory, `${family}-hparams.json`);
  const { lyaplock } = officialJson<{ lyaplock: object }>(family, "hparams.json");
  await writeFile(hparams, JSON.stringify(lyaplock));
  return [
    ...["--model", officialPath(family, "model"), "--hparams", hparams],
    ...["--moments", officialPath(family, "statistics")],
    ...["--context-templates", officialPath(family, "context_templates.json")],
    ...["--batch", "4", "--alpha", "1.5"],
  ];
}

/** The facts of a fixture, which serve as a file for `edit` and as a dataset. */
export function factsFile(family: Family): string {
  return officialPath(family, "requests.json");
}

/** Writes a dataset of `count` records, 144 at most: every prompt of the fixture with every subject. */
export async function writeDataset(family: Family, path: string, count: number): Promise<string> {
  const requests = officialJson<Request[]>(family, "requests.json");
  const records = requests.flatMap((request, i) =>
    requests.map(({ subject }, j) => ({
      ...request,
      case_id: 1000 + i * requests.length + j,
      subject,
      rephrase_prompt: request.rephrase_prompt.replaceAll(request.subject, subject),
      locality_ground_truth: request.target_true,
    })),
  );
  await writeFile(path, JSON.stringify(records.slice(0, count)));
  return path;
}
