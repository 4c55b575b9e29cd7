/** Pictures and clips as files named by their SHA-256; a record holds the hash (design.md 1). */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { open, rename, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GatehouseError, reasonOf } from '../errors.ts';

export interface Evidence {
  /** The hash at once; `kept` resolves when the file is on the disk and rejects with `journal.write`. */
  keep(bytes: Uint8Array): { readonly hash: string; readonly kept: Promise<void> };
  /** Where the file of a hash is; undefined if it is not kept (any more) or the text is no hash. */
  pathOf(hash: string): string | undefined;
}

async function flushFolder(path: string): Promise<void> {
  const folder = await open(path);
  await folder.sync().finally(() => folder.close());
}

/** @param directory made if missing; one folder per first two digits below it */
export function openEvidence(directory: string): Evidence {
  const placeOf = (hash: string) => join(directory, hash.slice(0, 2), `${hash}.jpg`);
  async function store(hash: string, bytes: Uint8Array): Promise<void> {
    const place = placeOf(hash);
    if (existsSync(place)) {
      const now = new Date();
      await utimes(place, now, now); // named once more, so it stays as long as that record
      return;
    }
    const temporary = `${place}.${randomUUID()}.new`;
    try {
      const made = mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(bytes);
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(temporary, place);
      // A record that names the picture is acknowledged after this: its name must survive a power cut, too (R1).
      await flushFolder(dirname(place));
      if (made !== undefined) await flushFolder(directory);
    } catch (error) {
      throw new GatehouseError('journal.write', `The picture could not be kept: ${reasonOf(error)}`, { cause: error });
    }
  }
  return {
    keep(bytes) {
      const hash = createHash('sha256').update(bytes).digest('hex');
      return { hash, kept: store(hash, bytes) };
    },
    pathOf(hash) {
      const place = /^[0-9a-f]{64}$/.test(hash) ? placeOf(hash) : undefined;
      return place !== undefined && existsSync(place) ? place : undefined;
    },
  };
}
