// Runs the demo's code path and prints how long the event loop was blocked: longest, and a few percentiles, in milliseconds.
//
//   node event-loop-child.mjs EDITS DIRECTORY

import { monitorEventLoopDelay } from "node:perf_hooks";
import { addon } from "../../dist/native/index.js";
import { runDemo } from "../../dist/run/index.js";

const [edits, directory] = process.argv.slice(2);
addon(); // loading a module blocks, once
const resolution = 2;
const delay = monitorEventLoopDelay({ resolution });
delay.enable();
const { summary } = await runDemo({ edits: Number(edits), directory });
delay.disable();

const milliseconds = (nanoseconds) => nanoseconds / 1e6;
console.log(
  JSON.stringify({
    edits: summary.edits,
    resolution,
    samples: delay.count,
    longest: milliseconds(delay.max),
    percentiles: Object.fromEntries([50, 99, 99.9].map((p) => [p, milliseconds(delay.percentile(p))])),
  }),
);
