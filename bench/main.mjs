// Benchmarks, each answering the question at the top of its file: npm run bench [-- name …]. Timings are ratios within one
// run, since machines are shared; results go to stdout as a table and, with --json, as lines.

import { cpus } from "node:os";
import { addon } from "../dist/native/index.js";

const available = ["update", "values"];
const names = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const unknown = names.find((name) => !available.includes(name));
if (unknown !== undefined) {
  console.error(`bench: there is no benchmark "${unknown}"; there are ${available.join(", ")}`);
  process.exit(2);
}

const { backend } = addon().systemInfo();
console.log(`${cpus()[0].model}; ${backend}; Node ${process.version}; ${new Date().toISOString().slice(0, 10)}\n`);
for (const name of names.length > 0 ? names : available) {
  const { question, run } = await import(`./${name}.mjs`);
  console.log(question);
  await run();
  console.log();
}
