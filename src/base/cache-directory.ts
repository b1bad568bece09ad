import { homedir } from "node:os";
import path from "node:path";

/** Where what can be computed again is kept: $LYAPLOCK_CACHE, $XDG_CACHE_HOME/lyaplock or ~/.cache/lyaplock. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.LYAPLOCK_CACHE) return path.resolve(environment.LYAPLOCK_CACHE);
  return path.join(environment.XDG_CACHE_HOME || path.join(homedir(), ".cache"), "lyaplock");
}
