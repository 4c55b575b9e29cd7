/** After damage: the tables of the newest archive this box can open, for the part of the database that is gone. */
import { closeSync, existsSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { faultOf } from '../journal/copies.ts';
import type { Log } from '../log.ts';
import { readArchive } from './archive.ts';
import { DATABASE } from './contents.ts';
import { readBoxKey, unwrap } from './keys.ts';
import { readHeader } from './seal.ts';
import { folderOf, prepareShelf, shelved } from './shelf.ts';

/**
 * Unpacks the database of the newest good archive into a file of its own, which the next start removes.
 * @returns undefined if there is no archive that can be opened and whose database is sound
 */
export async function newestDatabase(directory: string, log: Log): Promise<string | undefined> {
  const keyFile = join(directory, 'secrets', 'backup.key');
  if (!existsSync(keyFile)) return undefined;
  prepareShelf(directory);
  const target = join(folderOf(directory), 'copy-recovered.db');
  for (const { name } of shelved(directory)) {
    try {
      const archive = join(folderOf(directory), name);
      const sealed = readHeader(archive);
      const dataKey = await unwrap(sealed.header.wraps, { box: readBoxKey(keyFile) });
      extractDatabase(archive, dataKey, target);
      const fault = faultOf(target);
      if (fault === undefined) return target;
      log.error({ name, fault }, 'the database in this backup is damaged, an older one is tried');
    } catch (error) {
      log.error({ err: error, name }, 'this backup cannot be opened, an older one is tried');
    }
  }
  return undefined;
}

function extractDatabase(archive: string, dataKey: Uint8Array, target: string): void {
  rmSync(target, { force: true });
  const handle = openSync(target, 'wx', 0o600);
  try {
    readArchive(
      archive,
      dataKey,
      readHeader(archive),
      () => undefined,
      (name) => ({
        write(part) {
          if (name === DATABASE) for (let at = 0; at < part.length; ) at += writeSync(handle, part, at);
        },
        close: () => undefined,
      }),
    );
  } finally {
    closeSync(handle);
  }
}
