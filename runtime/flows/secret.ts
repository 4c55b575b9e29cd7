/** Secrets the core makes once and keeps: one file each, readable by the gateway's user only. */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * The secret of this name, made at the first call. Losing the one of the flows loses every credential in them, so it is on
 * the disk, whole, before anything is encrypted with it.
 */
export function keptSecret(directory: string, name: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, name);
  const kept = read(file);
  if (kept !== undefined) return kept;
  const draft = `${file}.new`;
  rmSync(draft, { force: true });
  const handle = openSync(draft, 'wx', 0o600);
  writeSync(handle, randomBytes(32).toString('hex'));
  fsyncSync(handle);
  closeSync(handle);
  rmSync(file, { force: true }); // only ever an empty one
  linkSync(draft, file);
  rmSync(draft);
  const folder = openSync(directory, 'r');
  fsyncSync(folder); // else a power cut takes the name, and what was signed with it is nobody's any more
  closeSync(folder);
  return readFileSync(file, 'utf8').trim();
}
