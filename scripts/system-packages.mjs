// Packages of the operating system, where we may install them.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Installs Debian packages if this is root on Debian, Ubuntu or the like. Returns whether it did. */
export function installPackages(names) {
  if (process.platform !== "linux" || process.getuid() !== 0 || !existsSync("/usr/bin/apt-get")) return false;
  console.error(`installing ${names.join(", ")} with apt-get`);
  const apt = (...args) =>
    spawnSync("apt-get", args, {
      stdio: ["ignore", 2, 2], // standard output may be read by a program
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }).status === 0;
  // Lists may be stale in part; what counts is whether the packages come.
  apt("update", "-q");
  return apt("install", "-y", "-q", "--no-install-recommends", ...names);
}
