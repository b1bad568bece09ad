import { LyaplockError } from "../errors.js";

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file or directory",
  ENOTDIR: "a part of the path is not a directory",
  EISDIR: "it is a directory",
  EACCES: "permission is denied",
  EPERM: "permission is denied",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full; free some space and try again",
  EDQUOT: "the disk quota is used up; free some space and try again",
  EMFILE: "too many files are open",
};

/** The ERR_FILE for an operation of node:fs that failed, in words. A `LyaplockError` is handed back as it is. */
export function fileError(action: string, path: string, cause: unknown): LyaplockError {
  if (cause instanceof LyaplockError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  return new LyaplockError("ERR_FILE", `cannot ${action} ${path}: ${(code && REASONS[code]) ?? message}`, { cause });
}
