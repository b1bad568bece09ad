// Four worker threads create, use, cancel and drop the engine's objects for a while; fails when resident memory grows. Two
// live as long as the soak, so that what an environment keeps would pile up; two are terminated in the middle of their
// work and replaced, so that what an environment leaves behind would.
//
//   npm run soak -- [--minutes 15] [--plant-leak] [--any-memory]
//
// --plant-leak keeps a reference to a matrix now and then, to see that it is noticed. --any-memory is for builds with
// sanitizers, which keep memory of their own for every thread there ever was.

import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";

const LASTING = 2;
const REPLACED = 2;
const SAMPLES = 120;
const LINES = 12;
/** The longest life of a worker that is replaced, in seconds. */
const LONGEST_LIFE = 20;
/**
 * By how much the median of the last quarter of the samples may exceed that of the second one: what the collectors of four
 * threads and the fragmentation of the C heap make of it from one quarter to another, without any leak.
 */
const ALLOWED = { megabytes: 16, share: 0.05 };
/** Resident memory, MiB, that it takes three minutes to settle at (430 to 460) and stays at; growth below is the way there. */
const SETTLED = 480;

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "15" },
    "plant-leak": { type: "boolean", default: false },
    "any-memory": { type: "boolean", default: false },
  },
});
const seconds = Number(options.minutes) * 60;
if (!(seconds >= 5)) throw new Error(`--minutes must be a number, 5 seconds at least; received ${options.minutes}`);

const done = { sessions: 0, cancelled: 0, ended: 0 };
for (let seed = 1; seed <= LASTING + REPLACED; seed++) start(seed, seed <= LASTING);

const samples = [];
for (let i = 1; i <= SAMPLES; i++) {
  await sleep((seconds * 1000) / SAMPLES);
  samples.push(process.memoryUsage.rss() / 2 ** 20);
  if (i % (SAMPLES / LINES) === 0) printLine((i * seconds) / SAMPLES, median(samples.slice(-SAMPLES / LINES)));
}

const quarter = (i) => median(samples.slice((i * SAMPLES) / 4, ((i + 1) * SAMPLES) / 4));
const [early, late] = [quarter(1), quarter(3)];
const allowed = ALLOWED.megabytes + ALLOWED.share * early;
const grew = late - early > allowed && late > SETTLED && !options["any-memory"];
console.log(`${done.sessions} sessions, ${done.cancelled} calls cancelled, ${done.ended} workers ended in their work`);
console.log(
  `resident memory: ${early.toFixed(0)} MiB in the second quarter, ${late.toFixed(0)} MiB in the last; ` +
    `${allowed.toFixed(0)} MiB more, or ${SETTLED} MiB, are allowed: ${grew ? "it GREW" : "flat"}`,
);
const idle = Object.values(done).some((count) => count === 0);
if (idle) console.log("something of this never happened: the soak proves nothing");
// In the middle of the workers' work: so a service ends.
process.exit(grew || idle ? 1 : 0);

function start(seed, lasting) {
  const worker = new Worker(new URL("worker.mjs", import.meta.url), {
    workerData: { seed, leak: options["plant-leak"] },
  });
  worker.on("message", ({ cancelled }) => {
    done.sessions++;
    done.cancelled += cancelled;
  });
  worker.on("error", (error) => {
    console.error(error);
    process.exit(1);
  });
  if (lasting) return;
  const life = Math.min(LONGEST_LIFE, seconds / 4) * (0.25 + 0.75 * random(seed));
  setTimeout(() => worker.terminate(), life * 1000);
  worker.on("exit", () => {
    done.ended++;
    start(seed + REPLACED, lasting);
  });
}

/** In [0, 1), from a whole number. */
function random(seed) {
  return (Math.imul(seed, 2654435761) >>> 0) / 2 ** 32;
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

function printLine(time, megabytes) {
  const [when, much] = [`${time.toFixed(0)} s`, `${megabytes.toFixed(0)} MiB`];
  console.log(`${when.padStart(7)} ${much.padStart(9)} ${"█".repeat(megabytes / 8)}`);
}
