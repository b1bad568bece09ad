// Runs the native tests, the engine's tests and a short soak over builds with sanitizers.
//
//   node scripts/sanitize.mjs address [--soak-minutes 0.5]    AddressSanitizer with LeakSanitizer, and UBSanitizer
//   node scripts/sanitize.mjs thread  [--soak-minutes 0.5]    ThreadSanitizer
//
// Needs GCC on Linux. Node itself is not built so: the runtime is preloaded into it, and of what it reports, only what has
// a frame of ours counts. Before anything else, mistakes that were planted must be reported.

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findBlas } from "./blas.mjs";
import { baseFlags, compile, compileObjects, filesIn } from "./compile.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Tests that run the engine, and measure neither time nor resident memory. */
const ENGINE_TESTS = [
  "test/engine",
  "test/golden/lyaplock.test.ts",
  "test/native-addon/memory.test.ts",
  "test/native-addon/workers.test.ts",
];

const SANITIZERS = {
  address: {
    // No recovery: the first error ends the program, the test in it fails.
    flags: ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
    runtime: "libasan.so",
    mistakes: ["use after free", "leak", "overflow"],
    environment: (reports) => ({
      // A refused allocation is a null pointer, as without the sanitizer: tests ask for the error that follows. Leaks,
      // Node's among them, do not change the exit code. Freed memory is held back for a while, but not too much for the soak.
      ASAN_OPTIONS:
        `log_path=${reports}/report:abort_on_error=1:exitcode=0:allocator_may_return_null=1:` +
        "quarantine_size_mb=16:thread_local_quarantine_size_kb=64",
      // This one writes to standard error, whatever it is told.
      UBSAN_OPTIONS: "print_stacktrace=1:abort_on_error=1",
    }),
  },
  thread: {
    flags: ["-fsanitize=thread"],
    runtime: "libtsan.so",
    mistakes: ["data race"],
    environment: (reports) => ({
      // BLAS and Node synchronise in code that the sanitizer does not see; it then believes that memory which they alone
      // touch is raced for.
      TSAN_OPTIONS: `log_path=${reports}/report:exitcode=0:ignore_noninstrumented_modules=1:allocator_may_return_null=1`,
    }),
  },
};

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error(`sanitize: ${error.message}`);
  process.exitCode = 1;
}

async function main() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { "soak-minutes": { type: "string", default: "0.5" } },
  });
  const [name] = positionals;
  if (positionals.length !== 1 || !Object.hasOwn(SANITIZERS, name))
    throw new Error(`name one sanitizer: ${Object.keys(SANITIZERS).join(" or ")}`);

  const folder = path.join(root, "build", name);
  const { program, addon, planted } = await build(folder, SANITIZERS[name]);
  const sanitized = runner(folder, SANITIZERS[name]);

  for (const mistake of SANITIZERS[name].mistakes) {
    const { reports } = sanitized([process.execPath, "-e", "require(process.env.PLANTED)"], {
      env: { PLANT: mistake, PLANTED: planted },
      preload: true,
      quiet: true,
    });
    if (reports.length === 0) throw new Error(`a planted ${mistake} was not reported: this would not notice ours`);
  }
  const env = { LYAPLOCK_ADDON: addon };
  const vitest = path.join(root, "node_modules/vitest/vitest.mjs");
  const soak = [
    "--expose-gc",
    path.join(root, "test/soak/soak.mjs"),
    "--any-memory",
    "--minutes",
    values["soak-minutes"],
  ];
  const runs = {
    "native tests": () => sanitized([program], { env: {}, preload: false }),
    "engine tests": () => sanitized([process.execPath, vitest, "run", ...ENGINE_TESTS], { env, preload: true }),
    soak: () => sanitized([process.execPath, ...soak], { env, preload: true }),
  };
  let clean = true;
  for (const [what, run] of Object.entries(runs)) {
    console.error(`== ${name}: ${what}`);
    const { status, reports, foreign } = run();
    for (const report of reports) console.error(report);
    console.error(
      `== ${name}: ${what}: ${status === 0 ? "passed" : "FAILED"}, ${reports.length} reports, ` +
        `${foreign} of Node's own left out`,
    );
    clean &&= status === 0 && reports.length === 0;
  }
  return clean;
}

/** The native tests, the addon, and one with mistakes. */
async function build(folder, { flags: sanitizer }) {
  const include = (name) => ["-isystem", createRequire(import.meta.url)(name).include_dir.replaceAll('"', "")];
  const flags = [
    ...baseFlags,
    ...["-I", "native", "-I", "test/native", ...include("node-addon-api"), ...include("node-api-headers")],
    // As in binding.gyp.
    ...["-DNAPI_VERSION=8", "-DNAPI_CPP_EXCEPTIONS", "-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
    ...["-O1", "-g", "-fPIC", "-fvisibility=hidden", "-fno-omit-frame-pointer", ...sanitizer],
  ];
  const sources = filesIn(root, "native", ".cpp").filter((name) => !name.startsWith("native/backend/cuda/"));
  const tests = filesIn(root, "test/native", ".cpp");
  const objects = await compileObjects({ root, folder, sources: [...sources, ...tests], flags });
  const ofAddon = objects.slice(0, sources.length);
  const ofTests = objects.filter((_, i) => !sources[i]?.startsWith("native/addon/"));

  const program = path.join(folder, "native-tests");
  const addon = path.join(folder, "lyaplock.node");
  const planted = path.join(folder, "planted.node");
  const libraries = [...findBlas(), "-ldl"];
  await compile(root, [...ofTests, "-o", program, ...flags, ...libraries]);
  await compile(root, [...ofAddon, "-shared", "-o", addon, ...flags, ...libraries]);
  await compile(root, ["test/sanitizers/planted.cpp", "-shared", "-o", planted, ...flags]);
  return { program, addon, planted };
}

/** Returns the function that runs a command and gives its exit status and what was reported of ours. */
function runner(folder, { runtime, environment }) {
  const { stdout } = spawnSync(process.env.CXX ?? "c++", [`-print-file-name=${runtime}`], { encoding: "utf8" });
  const library = stdout.trim();
  if (!path.isAbsolute(library)) throw new Error(`GCC's ${runtime} was not found; sanitizers need GCC on Linux`);
  const reportFolder = path.join(folder, "reports");
  return (command, { env, preload, quiet = false }) => {
    rmSync(reportFolder, { recursive: true, force: true });
    mkdirSync(reportFolder, { recursive: true });
    // ThreadSanitizer knows a few places for a program's memory; the kernel may choose others.
    const [file, ...args] = addressesVary() ? ["setarch", "-R", ...command] : command;
    const { status, signal, stderr } = spawnSync(file, args, {
      cwd: root,
      stdio: ["ignore", quiet ? "ignore" : "inherit", quiet ? "pipe" : "inherit"],
      encoding: "utf8",
      env: { ...process.env, ...environment(reportFolder), ...env, ...(preload ? { LD_PRELOAD: library } : {}) },
    });
    if (signal && !quiet) console.error(`${path.basename(command[0])} ended by ${signal}`);
    const written = readdirSync(reportFolder).map((name) => readFileSync(path.join(reportFolder, name), "utf8"));
    const all = [...written, stderr ?? ""].flatMap(split);
    const reports = all.filter((report) => isOurs(report, folder));
    return { status: status ?? 1, reports, foreign: all.length - reports.length };
  };
}

/** The reports in what a sanitizer wrote: a paragraph each for leaks, all up to the next double line for the rest. */
function split(text) {
  return text
    .split(/^={18,}$/m)
    .flatMap((report) => (report.includes("LeakSanitizer: ") ? report.split("\n\n") : [report]))
    .filter((report) => /WARNING: ThreadSanitizer|ERROR: AddressSanitizer|runtime error:|leak of/.test(report));
}

/** Whether a frame is ours; of a leak, the one that allocated, since what Node allocates for our calls is Node's to free. */
function isOurs(report, folder) {
  const frames = report.split("\n").filter((line) => /^ +#\d+ /.test(line));
  const allocator = frames.find((line) => !/libasan|libsanitizer|libstdc\+\+|\/include\/c\+\+\//.test(line));
  const relevant = /leak of/.test(report) ? [allocator ?? ""] : frames;
  // Sources as the compiler was given them, or the files they were linked to.
  return relevant.some((line) => / (native|test|node_modules\/node-addon-api)\//.test(line) || line.includes(folder));
}

function addressesVary() {
  try {
    return Number(readFileSync("/proc/sys/vm/mmap_rnd_bits", "utf8")) > 28;
  } catch {
    return false;
  }
}
