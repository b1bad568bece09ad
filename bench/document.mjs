// Writes docs/performance.md from what benchmarks have measured, and from nothing else:
//
//   node bench/document.mjs FILE …     files that `npm run bench -- --out FILE` wrote; of two runs of a benchmark the later.
//                                      What is in the document of other benchmarks stays as it is

import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { markdownTable } from "./table.mjs";

const target = fileURLToPath(new URL("../docs/performance.md", import.meta.url));
const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("document: name the files that npm run bench wrote, node bench/document.mjs bench/results/FILE.json …");
  process.exit(2);
}

const measured = new Map();
for (const file of files) {
  const { machine, scale, benchmarks } = JSON.parse(await readFile(file, "utf8"));
  for (const benchmark of benchmarks) measured.set(benchmark.name, { ...benchmark, machine, scale });
}
const sections = await sectionsThere();
for (const benchmark of measured.values()) sections.set(benchmark.name, await section(benchmark));
await mkdir(path.dirname(target), { recursive: true });
await writeFile(
  target,
  `# Performance

<!-- Written by bench/document.mjs from measurements. Change the notes in bench/, or measure again; not this file. -->

Times are ratios within one run on one machine: rivals take turns, and medians are shown with the interquartile range over
the median as their spread. One of the sections on GPUs is calculated. To measure it all again, an hour on two cores:

\`\`\`
npm run bench -- all --out bench/results/all.json
node bench/document.mjs bench/results/all.json
\`\`\`

The published algebra needs a Python with torch, python3 or the one that \`LYAPLOCK_PYTHON\` names. \`--scale 4\` divides widths
and facts by four, for a first look.

${[...sections.values()].join("\n\n")}
`,
);
console.error("docs/performance.md is written");

/** By the benchmark that each is of, which its command names. */
async function sectionsThere() {
  const text = await readFile(target, "utf8").catch(() => "");
  const found = text.split(/^(?=## )/m).map((part) => [/^`npm run bench -- (\w+)/m.exec(part)?.[1], part.trim()]);
  return new Map(found.filter(([name, part]) => name !== undefined && part.startsWith("## ")));
}

async function section({ name, question, machine, scale, asked = {}, rows }) {
  const { columns, notes, isCalculated = false } = await import(`./${name}.mjs`);
  const options = Object.entries({ ...(scale === 1 ? {} : { scale }), ...asked }).map(
    ([key, value]) => ` --${key} ${withoutPlace(String(value))}`,
  );
  const command = `npm run bench -- ${name}${options.join("")}`;
  return `## ${question}

${markdownTable(columns, rows)}

\`${command}\`: ${isCalculated ? calculationLine(machine) : machineLine(machine)}.${rows[0]?.baseline ? ` Beside ${rows[0].baseline}.` : ""}

${notes.trim()}`;
}

/** Where files lay on the machine that measured says nothing to anybody else. */
function withoutPlace(value) {
  return value.replace(/(^|:)\/\S*\/(?=[^/]+$)/, "$1");
}

/** On whatever machine it was. */
function calculationLine({ date, commit }) {
  return `calculated ${date.slice(0, 10)}, commit ${commit ?? "unknown"}`;
}

function machineLine(machine) {
  return (
    `${machine.date.slice(0, 10)}, commit ${machine.commit ?? "unknown"}, ${machine.processor} (${machine.cores} cores, ` +
    `${Math.round(machine.memoryBytes / 2 ** 30)} GiB), ${machine.backend}, Node ${machine.node}, ${machine.platform}; ` +
    `load average ${machine.loadAverage.toFixed(1)} before`
  );
}
