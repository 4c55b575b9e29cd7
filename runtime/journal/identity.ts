/** Who this gateway is and which life its journal is in: kept twice, in the database and in identity.json (R4). */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { GatehouseError, reasonOf } from '../errors.ts';
import { APPLICATION_ID, SCHEMA_VERSION } from './schema.ts';

export interface Identity {
  readonly gateway: string;
  readonly epoch: number;
}

/** What was found at start; `reason` is set when a new epoch had to begin. */
export interface Start {
  readonly identity: Identity;
  readonly reason?: 'first' | 'missing' | 'damaged' | 'foreign';
  /** Where a damaged or foreign file was put; nothing is ever deleted. */
  readonly quarantine?: string;
}

const QUICK_CHECK_BYTES = 64 << 20;

/** Writes a file so that it is there, whole, after a power cut. */
export function writeDurably(path: string, text: string, mode = 0o600): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', mode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const folder = openSync(join(path, '..'), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function readIdentity(file: string): Identity | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const { gateway, epoch } = JSON.parse(readFileSync(file, 'utf8')) as Identity;
    return /^[a-z0-9-]{4,32}$/.test(gateway) && Number.isInteger(epoch) && epoch > 0 ? { gateway, epoch } : undefined;
  } catch {
    return undefined; // half a file from another hand: the copy in the database decides
  }
}

type Finding = { state: 'missing' | 'damaged' | 'foreign' } | { state: 'ours'; identity: Identity };

/** @throws GatehouseError `journal.newer` if a newer version wrote the file: then nothing is touched. */
function inspect(file: string): Finding {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat || stat.size === 0) return { state: 'missing' };
  let db: Database.Database | undefined;
  try {
    db = new Database(file);
    if (db.pragma('application_id', { simple: true }) !== APPLICATION_ID) return { state: 'foreign' };
    const version = db.pragma('user_version', { simple: true }) as number;
    if (version > SCHEMA_VERSION) {
      throw new GatehouseError(
        'journal.newer',
        `${file} has schema ${version}, this version knows ${SCHEMA_VERSION}: install the newer version again`,
      );
    }
    if (stat.size <= QUICK_CHECK_BYTES && db.pragma('quick_check(1)', { simple: true }) !== 'ok')
      return { state: 'damaged' };
    const meta = new Map(
      db
        .prepare<[], { key: string; value: string }>('SELECT key, value FROM meta')
        .all()
        .map((row) => [row.key, row.value]),
    );
    const gateway = meta.get('gateway');
    const epoch = Number(meta.get('epoch'));
    return gateway && epoch > 0 ? { state: 'ours', identity: { gateway, epoch } } : { state: 'damaged' };
  } catch (error) {
    if (error instanceof GatehouseError) throw error;
    return { state: reasonOf(error).includes('not a database') ? 'foreign' : 'damaged' };
  } finally {
    db?.close();
  }
}

/**
 * Finds or makes the journal file and the identity. A missing, empty, damaged or foreign file where a journal should be is
 * put aside and a new epoch begins; sequence numbers are never used again.
 * @param stamp names the quarantine folder, e.g. `2026-11-21T05-00-00Z`
 */
export function establish(
  directory: string,
  stamp: string,
  prepare: (file: string, identity: Identity) => void,
): Start {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, 'gatehouse.db');
  const identityFile = join(directory, 'identity.json');
  const known = readIdentity(identityFile);
  const found = inspect(file);
  if (found.state === 'ours') {
    // A restored or copied database may lag behind identity.json: the larger epoch wins and a new one begins.
    if (!known || known.epoch <= found.identity.epoch) {
      if (!known || known.epoch !== found.identity.epoch) writeDurably(identityFile, JSON.stringify(found.identity));
      return { identity: found.identity };
    }
  }
  const first = !known && found.state === 'missing';
  const identity = {
    gateway: known?.gateway ?? `gh-${randomBytes(5).toString('hex')}`,
    epoch: first ? 1 : Math.max(known?.epoch ?? 0, found.state === 'ours' ? found.identity.epoch : 0) + 1,
  };
  writeDurably(identityFile, JSON.stringify(identity)); // before the database: an epoch once named is never reused
  if (found.state === 'ours') {
    prepare(file, identity);
    return { identity, reason: 'missing' };
  }
  const quarantine = found.state === 'missing' ? undefined : putAside(directory, file, stamp);
  prepare(file, identity);
  return {
    identity,
    reason: first ? 'first' : found.state,
    ...(quarantine === undefined ? {} : { quarantine }),
  };
}

function putAside(directory: string, file: string, stamp: string): string {
  const folder = join(directory, 'quarantine', stamp);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(file + suffix)) renameSync(file + suffix, join(folder, `gatehouse.db${suffix}`));
  }
  return folder;
}
