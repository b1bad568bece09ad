// Damaged model files through the readers, built with AddressSanitizer and UBSanitizer (GCC on Linux).
//
//   node scripts/fuzz.mjs [--seconds 20]               as many cases as fit
//   node scripts/fuzz.mjs --cases 1000000 [--from 0]   those cases: the same number is the same file
//
// Before anything else, mistakes that were planted must be found.

import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { baseFlags, compile, compileObjects, filesIn } from "./compile.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = path.join(root, "build", "fuzz");

try {
  const { values } = parseArgs({
    options: { seconds: { type: "string" }, cases: { type: "string" }, from: { type: "string", default: "0" } },
  });
  const program = await build();
  for (const mistake of ["over-read", "allocation"]) {
    if (run(program, ["--plant", mistake], "ignore") === 0) {
      throw new Error(`a planted mistake (${mistake}) was not found: this would not notice ours`);
    }
  }
  const amount = values.cases ? ["--cases", values.cases] : ["--seconds", values.seconds ?? "20"];
  process.exitCode = run(program, [...amount, "--from", values.from], "inherit");
} catch (error) {
  console.error(`fuzz: ${error.message}`);
  process.exitCode = 1;
}

async function build() {
  // No recovery: the first error ends the program.
  const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
  const flags = [
    ...baseFlags,
    "-I",
    "native",
    "-I",
    "test/fuzz",
    "-O2",
    "-g1",
    "-fno-omit-frame-pointer",
    ...sanitizers,
  ];
  const sources = [...filesIn(root, "native/format", ".cpp"), ...filesIn(root, "test/fuzz", ".cpp")];
  const objects = await compileObjects({ root, folder, sources, flags });
  const program = path.join(folder, "readers");
  await compile(root, [...objects, "-o", program, ...flags, "-Wl,--wrap=mmap,--wrap=munmap"]);
  return program;
}

function run(program, args, stdio) {
  const corpus = path.join(root, "test/fuzz/corpus");
  const { status, signal } = spawnSync(program, [corpus, ...args], {
    cwd: folder,
    stdio,
    env: {
      ...process.env,
      ASAN_OPTIONS: "allocator_may_return_null=1:detect_leaks=1:quarantine_size_mb=16",
      UBSAN_OPTIONS: "print_stacktrace=1",
    },
  });
  if (signal) console.error(`readers ended by ${signal}`);
  return status ?? 1;
}
