import { existsSync } from "node:fs";

/** A model on a hub. */
export interface HubName {
  /** "organization/name" */
  repository: string;
  /** A branch, a tag or a commit. */
  revision: string;
}

/** Part of a repository's name: what the hub allows, and no way out of a directory. */
const PART = "[A-Za-z0-9](?:[A-Za-z0-9_-]|\\.(?!\\.))*";
const NAME = new RegExp(`^(${PART}/${PART})(?:@([A-Za-z0-9](?:[\\w/-]|\\.(?!\\.))*))?$`);

/** What "org/name" or "org/name@revision" names; undefined for other texts, and where there is a file of that name here. */
export function parseHubName(source: string): HubName | undefined {
  const [, repository, revision = "main"] = NAME.exec(source) ?? [];
  const isFile = /\.(gguf|safetensors|json)$/.test(source);
  return repository === undefined || isFile || existsSync(source) ? undefined : { repository, revision };
}

/** True for what can only be one thing at any time. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
