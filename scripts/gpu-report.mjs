// The report of npm run test:gpu and bench:gpu: report.json, and report.md for people.

import { mkdir, rename, writeFile } from "node:fs/promises";
import path from "node:path";

/** Returns the path of report.md. */
export async function writeReport(folder, report) {
  await mkdir(folder, { recursive: true });
  await writeWhole(path.join(folder, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
  const file = path.join(folder, "report.md");
  await writeWhole(file, asMarkdown(report));
  return file;
}

async function writeWhole(file, text) {
  await writeFile(`${file}.tmp`, text);
  await rename(`${file}.tmp`, file);
}

function asMarkdown({ kind, emulated, done, machine, results }) {
  const gpus = machine.gpus.map((gpu) => Object.values(gpu).join(", ")).join("; ");
  const what = emulated ? " on an emulated GPU, whose times say nothing" : "";
  const rows = results.map(
    ({ name, ok, passed = "", failed = "", seconds }) =>
      `| ${name} | ${ok ? "passed" : "FAILED"} | ${passed} | ${failed} | ${seconds.toFixed(1)} |`,
  );
  const printed = results.flatMap(({ name, says }) =>
    says ? [`## ${name}\n\n\`\`\`\n${says.trimEnd()}\n\`\`\``] : [],
  );
  return `# npm run ${kind}:gpu${what}: ${done ? "all is well" : "something FAILED"}

- ${machine.date}, commit ${machine.commit ?? "unknown"}
- GPU (name, driver, memory, compute capability): ${gpus}
- CUDA compiler: ${machine.compiler ?? "none"}
- ${machine.processor} (${machine.cores} cores, ${Math.round(machine.memoryBytes / 2 ** 30)} GiB), Node ${machine.node}, ${machine.platform}

| step | | tests passed | failed | seconds |
| --- | --- | --- | --- | --- |
${rows.join("\n")}

${printed.join("\n\n")}
`;
}
