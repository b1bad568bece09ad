// Benchmarks, each answering the question at the top of its file:
//
//   npm run bench [-- name … | all] [--scale S] [--device auto|cpu|cuda] [--out FILE]
//   npm run bench -- editing [--model DIR --dataset counterfact:FILE --hparams FILE --text FILE] [--sample N]
//
// Timings are ratios within one run, since machines are shared. Tables go to stdout, all figures as JSON into FILE, from
// which document.mjs writes docs/performance.md. A scale divides widths and facts. `editing` takes options of `lyaplock run`,
// without which it edits the built-in model, and how many facts the baseline shall optimise; `tracing` takes --model.
// `roofline` measures nothing: it calculates what GPUs take.

import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { printTable } from "./table.mjs";

/** The quick ones run when none is named; the patient ones take a quarter of an hour and more at full scale. */
const quick = ["update", "values", "operations", "published", "editing", "tensorflow", "tracing", "roofline"];
const patient = ["sequence", "memory", "planned"];

const { names, scale, out, device, editing } = chosen();
// The kernel shall be the one that the library picks for this machine.
for (const name of ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"]) delete process.env[name];
const { useDevice } = await import("../dist/native/index.js");
try {
  useDevice(device);
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exit(1);
}
const { describeMachine } = await import("./machine.mjs");

const machine = describeMachine();
console.log(`${machine.processor}, ${machine.backend}; Node ${machine.node}; ${machine.date.slice(0, 10)}\n`);
if (machine.loadAverage > machine.cores / 2) {
  const load = machine.loadAverage.toFixed(1);
  console.error(`bench: others are at work here (load average ${load}), so these figures will say little`);
}
const benchmarks = [];
for (const name of names) {
  const { question, columns, run } = await import(`./${name}.mjs`);
  console.log(question);
  const begun = performance.now();
  const rows = await run({ scale, device, ...editing });
  printTable(columns, rows);
  benchmarks.push({
    name,
    question,
    asked: name === "editing" ? editing : name === "tracing" ? given({ model: editing.model }) : {},
    seconds: (performance.now() - begun) / 1000,
    rows,
  });
  // After every one, so that what was measured stays when a later one fails.
  await save({ machine, scale, benchmarks });
}
console.error(`figures are in ${path.relative(process.cwd(), out)}`);

function chosen() {
  const available = [...quick, ...patient];
  const { values, positionals } = parse();
  const unknown = positionals.find((name) => name !== "all" && !available.includes(name));
  if (unknown !== undefined) refuse(`there is no benchmark "${unknown}"; there are ${available.join(", ")} and all`);
  const scale = Number(values.scale);
  if (!(scale >= 1)) refuse(`--scale must be a number, 1 or more; received ${values.scale}`);
  const devices = ["auto", "cpu", "cuda"];
  if (!devices.includes(values.device)) refuse(`--device is ${devices.join(", ")}; received ${values.device}`);
  const results = fileURLToPath(new URL("results/", import.meta.url));
  const { model, dataset, hparams, text, sample } = values;
  if (sample !== undefined && !(Number(sample) >= 1)) refuse(`--sample must be 1 or more; received ${sample}`);
  return {
    editing: given({ model, dataset, hparams, text, sample: sample && Number(sample) }),
    names: positionals.includes("all") ? available : positionals.length > 0 ? positionals : quick,
    scale,
    device: values.device,
    out: path.resolve(values.out ?? path.join(results, `${new Date().toISOString().replaceAll(":", "-")}.json`)),
  };
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        scale: { type: "string", default: "1" },
        out: { type: "string" },
        device: { type: "string", default: "auto" },
        ...Object.fromEntries(
          ["model", "dataset", "hparams", "text", "sample"].map((name) => [name, { type: "string" }]),
        ),
      },
    });
  } catch (error) {
    return refuse(error.message);
  }
}

/** What was not left out. */
function given(options) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function refuse(what) {
  console.error(`bench: ${what}`);
  process.exit(2);
}

async function save(results) {
  await mkdir(path.dirname(out), { recursive: true });
  await writeFile(out, `${JSON.stringify(results, null, 2)}\n`);
}
