/** An archive becomes a data directory again: verified to its last byte before the first one is written. */
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { GatehouseError, reasonOf } from '../errors.ts';
import { faultOf } from '../journal/copies.ts';
import { markRestored, writeDurably } from '../journal/identity.ts';
import { SCHEMA_VERSION } from '../journal/schema.ts';
import { type Manifest, readArchive, type Sink } from './archive.ts';
import { DATABASE, placeOf } from './contents.ts';
import { type Keys, unwrap } from './keys.ts';
import { readHeader, type Sealed } from './seal.ts';

const SPARE_BYTES = 256 << 20;
const DRAFT = '.restoring';

interface Opened {
  readonly sealed: Sealed;
  readonly dataKey: Buffer;
}

async function open(archive: string, keys: Keys): Promise<Opened> {
  const sealed = readHeader(archive);
  return { sealed, dataKey: await unwrap(sealed.header.wraps, keys) };
}

/** Every name must be one of ours: nothing is written where an archive says, only where its names belong. */
function acceptable({ entries, schema, version }: Manifest): void {
  if (schema > SCHEMA_VERSION) {
    throw new GatehouseError(
      'backup.format',
      `The archive is of version ${version} (schema ${schema}, this program knows ${SCHEMA_VERSION}): restore it with that version`,
    );
  }
  for (const { name } of entries) {
    if (placeOf(name) === undefined) {
      throw new GatehouseError(
        'backup.damaged',
        `The archive lists ${JSON.stringify(name)}, which is not a file of ours`,
      );
    }
  }
  if (!entries.some(({ name }) => name === DATABASE)) {
    throw new GatehouseError('backup.damaged', 'The archive has no database');
  }
}

/** Whatever a proven archive trips over is still a fault of the archive. */
function readAll(archive: string, { sealed, dataKey }: Opened, sinkOf?: (name: string) => Sink): Manifest {
  try {
    return readArchive(archive, dataKey, sealed, acceptable, sinkOf);
  } catch (error) {
    if (error instanceof GatehouseError || String((error as NodeJS.ErrnoException).syscall ?? '') !== '') throw error;
    throw new GatehouseError('backup.damaged', `The archive cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}

/** Opens and reads all of an archive, and writes nothing. @throws GatehouseError `backup.*` */
export async function verifyArchive(archive: string, keys: Keys): Promise<Manifest> {
  return readAll(archive, await open(archive, keys));
}

/**
 * @param directory empty or not there
 * @param afterEpoch the highest epoch anybody has seen of this gateway, if the archive may be older than that
 * @throws GatehouseError `backup.*`; the directory is then as empty as before
 */
export async function restore(archive: string, directory: string, keys: Keys, afterEpoch = 0): Promise<Manifest> {
  const opened = await open(archive, keys);
  const found = readAll(archive, opened);
  const existed = existsSync(directory);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  refuseUsed(directory);
  refuseFull(directory, found);
  const draft = join(directory, DRAFT);
  try {
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { mode: 0o700 });
    readAll(archive, opened, (name) => fileSink(join(draft, placeOf(name) ?? name)));
    const database = join(draft, DATABASE);
    const fault = faultOf(database);
    if (fault !== undefined)
      throw new GatehouseError('backup.damaged', `The database in the archive is damaged: ${fault}`);
    const identity = markRestored(database, basename(archive));
    if (identity.gateway !== found.gateway) {
      throw new GatehouseError('backup.damaged', 'The database in the archive is another gateway’s');
    }
    writeDurably(
      join(draft, 'identity.json'),
      JSON.stringify({ gateway: identity.gateway, epoch: Math.max(identity.epoch, afterEpoch) }),
    );
    // The database goes last: without it the directory is no gateway's.
    const order = readdirSync(draft).sort((a, b) => Number(a === DATABASE) - Number(b === DATABASE));
    ownAs(directory, draft);
    for (const name of order) renameSync(join(draft, name), join(directory, name));
    flush(directory);
    rmSync(draft, { recursive: true });
    return found;
  } catch (error) {
    rmSync(existed ? draft : directory, { recursive: true, force: true });
    throw error;
  }
}

/** Restored by root into a directory of the gateway's user, everything is that user's: or the gateway could not open it. */
function ownAs(directory: string, draft: string): void {
  const { uid, gid } = statSync(directory);
  if (process.getuid?.() !== 0 || uid === 0) return;
  for (const entry of readdirSync(draft, { recursive: true, withFileTypes: true }))
    chownSync(join(entry.parentPath, entry.name), uid, gid);
}

function refuseUsed(directory: string): void {
  const found = readdirSync(directory).filter((name) => name !== DRAFT);
  if (found.length > 0) {
    throw new GatehouseError('backup.not_empty', `${directory} is not empty (${found.slice(0, 3).join(', ')})`);
  }
}

function refuseFull(directory: string, { entries }: Manifest): void {
  const needed = entries.reduce((sum, { size }) => sum + size, 0) + SPARE_BYTES;
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize >= needed) return;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MB`;
  throw new GatehouseError(
    'backup.room',
    `${directory} has ${megabytes(bavail * bsize)} free, ${megabytes(needed)} are needed`,
  );
}

function fileSink(path: string): Sink {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const handle = openSync(path, 'wx', 0o600);
  return {
    write(part) {
      for (let at = 0; at < part.length; ) at += writeSync(handle, part, at);
    },
    close() {
      fsyncSync(handle);
      closeSync(handle);
    },
  };
}

function flush(path: string): void {
  const handle = openSync(path, 'r');
  fsyncSync(handle);
  closeSync(handle);
}
