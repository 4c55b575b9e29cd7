/**
 * The flow file and its credentials on the disk: one pair, read and replaced together. The flow process may write there, so
 * nothing here is followed or trusted.
 */
import { closeSync, constants, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { FlowEntry } from './flow-nodes.ts';

const FLOWS = 'flows.json';
const CREDENTIALS = 'flows_cred.json';

/** The file of this name as it is; undefined where none is. */
function read(directory: string, name: string): Buffer | undefined {
  let handle: number;
  try {
    handle = openSync(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP') return undefined;
    throw error;
  }
  try {
    return readFileSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Whole or not at all, also over a power cut. */
function replace(directory: string, name: string, content: Uint8Array): void {
  const draft = join(directory, `${name}.new`);
  rmSync(draft, { force: true });
  const handle = openSync(draft, 'wx', 0o600);
  writeSync(handle, content);
  fsyncSync(handle);
  closeSync(handle);
  renameSync(draft, join(directory, name));
}

/** What a deploy left is on the disk; the flow process may write, but under `--permission` not flush. */
function flush(directory: string): void {
  for (const name of [FLOWS, CREDENTIALS, '.']) {
    try {
      const handle = openSync(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW);
      fsyncSync(handle);
      closeSync(handle);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // no credentials: no file
    }
  }
}

export interface FlowPair {
  readonly flows: Buffer;
  /** As Node-RED sealed them; absent: no node has any. */
  readonly credentials?: Buffer;
}

/** The pair as it lies there, on the disk for good. */
export function readPair(directory: string): FlowPair | undefined {
  const flows = read(directory, FLOWS);
  if (!flows) return undefined;
  flush(directory);
  const credentials = read(directory, CREDENTIALS);
  return { flows, ...(credentials ? { credentials } : {}) };
}

export function writePair(directory: string, { flows, credentials }: FlowPair): void {
  // Credentials first: a flow file without them would be taken for one whose nodes have none.
  if (credentials) replace(directory, CREDENTIALS, credentials);
  else rmSync(join(directory, CREDENTIALS), { force: true });
  replace(directory, FLOWS, flows);
  flush(directory);
}

/** Moves the flow file out of the way, to be looked at. @returns its new name */
export function keepAside(directory: string, why: 'broken' | 'changed', now: number): string {
  const kept = `flows.${why}-${new Date(now).toISOString().replace(/[:.]/g, '-')}.json`;
  renameSync(join(directory, FLOWS), join(directory, kept));
  return kept;
}

/** @returns the nodes of a flow file, or what is wrong with it */
export function parseFlows(bytes: Uint8Array): readonly FlowEntry[] | string {
  try {
    const nodes: unknown = JSON.parse(
      Buffer.from(bytes)
        .toString('utf8')
        .replace(/^\uFEFF/, ''),
    );
    if (!Array.isArray(nodes)) return 'not a list of nodes';
    const bad = nodes.findIndex((node) => typeof node?.id !== 'string' || typeof node?.type !== 'string');
    return bad < 0 ? (nodes as FlowEntry[]) : `entry ${bad} has no id or type`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
