/** Disk space held for the worst hour: deleted when the disk is full, so that what is urgent still finds room (B2). */

import { randomFillSync } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, unlinkSync, writeSync } from 'node:fs';

export const BALLAST_BYTES = 64 << 20;
const PIECE_BYTES = 1 << 20;

/** Writes the file in pieces. Not zeros: some file systems keep nothing for them. Runs in the scan thread. */
export function writeBallast(path: string, bytes: number): void {
  const temporary = `${path}.new`;
  const piece = randomFillSync(Buffer.alloc(Math.min(bytes, PIECE_BYTES)));
  const file = openSync(temporary, 'w', 0o600);
  try {
    for (let written = 0; written < bytes; written += piece.length) {
      writeSync(file, piece, 0, Math.min(piece.length, bytes - written));
    }
    fsyncSync(file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

export const hasBallast = (path: string, bytes: number): boolean =>
  statSync(path, { throwIfNoEntry: false })?.size === bytes;

/** @returns whether there was any */
export function dropBallast(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch {
    return false; // it is gone already, or the disk takes no change at all
  }
}
