// In a process of its own (memory-child.mjs), since a peak belongs to a process.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { scaledDown, shapeName, shapesAt } from "./layer.mjs";
import { mebibytes, seconds } from "./table.mjs";

export const question =
  "How much memory does one layer of GPT2-XL take at its peak over 10,000 facts, beside what it has to hold?";

export const columns = [
  ["layer", (row) => row.layer],
  ["facts", (row) => row.facts],
  ["key space, MiB", (row) => mebibytes(row.keySpace)],
  ["editor at most", (row) => mebibytes(row.editorAtMost)],
  ["editor at the end", (row) => mebibytes(row.editorAtEnd)],
  ["of that the ledger", (row) => mebibytes(row.ledger)],
  ["weight change given out", (row) => mebibytes(row.weights)],
  ["sum", (row) => mebibytes(row.sum)],
  ["peak", (row) => mebibytes(row.peak)],
  ["peak / sum", (row) => row.ratio.toFixed(3)],
  ["s", (row) => seconds(row.seconds)],
];

export const notes = `
The peak is the largest resident size during the sequence (VmHWM, reset before its first batch), less the resident
size of Node with the addon, one batch of inputs and nothing else. The key space is the factor of C; the editor is
what \`editor.bytes\` says; the weight change is the matrix that \`editor.drift\` gives out after every batch. Batches
hold 100 facts, and every tenth is solved with a changed weight, so that both ways of solving are in the peak. What
limits is the ledger, whose keys are as wide as the MLP, and while there are fewer facts than that the factor of all
of them.
`;

export async function run({ scale }) {
  const [shape] = shapesAt(scale);
  if (process.platform !== "linux") {
    console.log("left out: the peak of a process is read from /proc, which only Linux has");
    return [];
  }
  const child = fileURLToPath(new URL("memory-child.mjs", import.meta.url));
  const options = { shape, facts: scaledDown(10000, scale), batch: scaledDown(100, scale) };
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", child, JSON.stringify(options)]);
  const { facts, keySpace, editorAtMost, editorAtEnd, ledger, weights, peak, seconds } = JSON.parse(stdout);
  const sum = keySpace + editorAtMost + weights;
  return [
    {
      layer: shapeName(shape),
      facts,
      keySpace,
      editorAtMost,
      editorAtEnd,
      ledger,
      weights,
      sum,
      peak,
      ratio: peak / sum,
      seconds,
    },
  ];
}
