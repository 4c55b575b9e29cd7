/** What is where the journal should be: looked at without writing a byte. */
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { formatPosition } from '../contracts/record.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import { APPLICATION_ID, epochOf, SCHEMA_VERSION, seqOf } from './schema.ts';

/** Who a gateway is and which life its journal is in. */
export interface Identity {
  readonly gateway: string;
  readonly epoch: number;
}

export type Finding =
  | { readonly state: 'missing' }
  | { readonly state: 'foreign' }
  | {
      readonly state: 'damaged';
      /** What is wrong. */
      readonly fault: string;
      /** As far as it can still be read. */
      readonly identity?: Identity;
      readonly lastKnown?: string;
    }
  | {
      readonly state: 'ours';
      readonly identity: Identity;
      readonly version: number;
      readonly lastKnown?: string;
      /** The archive it was restored from, set by the restore and cleared by the first start after it. */
      readonly restored?: string;
    };

/** Read in whole at start up to here, well under a second; larger files are read in the background. */
export const QUICK_CHECK_BYTES = 64 << 20;
export const databaseOf = (directory: string): string => join(directory, 'gatehouse.db');
/** Left by the background check for the next start: what it found. */
export const damageMark = (directory: string): string => join(directory, 'damaged.json');

/** @returns undefined if there is none, `garbled` if it says nothing */
export function readIdentity(file: string): Identity | 'garbled' | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const { gateway, epoch } = JSON.parse(readFileSync(file, 'utf8')) as Identity;
    const sound = /^[a-z0-9-]{4,32}$/.test(gateway) && Number.isInteger(epoch) && epoch > 0;
    return sound ? { gateway, epoch } : 'garbled';
  } catch {
    return 'garbled';
  }
}

/**
 * Looks at the database of a data directory, read-only.
 * @throws GatehouseError `journal.newer` if a newer version wrote it; file system errors of a file that may not be read
 */
export function inspect(directory: string, file = databaseOf(directory)): Finding {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat || stat.size === 0) return { state: 'missing' };
  let db: Database.Database | undefined;
  try {
    refuseNewer(file, versionIn(file)); // before SQLite opens it, which may leave an empty WAL beside it
    db = new Database(file, { readonly: true });
    if (db.pragma('application_id', { simple: true }) !== APPLICATION_ID) return { state: 'foreign' };
    const version = db.pragma('user_version', { simple: true }) as number;
    refuseNewer(file, version);
    const fault = markOf(directory, file) ?? faultIn(db, stat.size);
    const meta = attempt(db, metaOf);
    const identity = meta && identityIn(meta);
    const lastKnown = attempt(db, lastPosition);
    const found = { ...(identity ? { identity } : {}), ...(lastKnown === undefined ? {} : { lastKnown }) };
    if (fault !== undefined) return { state: 'damaged', fault, ...found };
    if (!identity) return { state: 'damaged', fault: 'no identity in it', ...found };
    const restored = meta?.get('restored');
    return { state: 'ours', version, ...found, identity, ...(restored === undefined ? {} : { restored }) };
  } catch (error) {
    if (error instanceof GatehouseError || !isDamage(error)) throw error;
    const foreign = (error as { code?: unknown }).code === 'SQLITE_NOTADB' && !looksOurs(file);
    return foreign ? { state: 'foreign' } : { state: 'damaged', fault: reasonOf(error) };
  } finally {
    db?.close();
  }
}

function refuseNewer(file: string, version: number): void {
  if (version <= SCHEMA_VERSION) return;
  throw new GatehouseError(
    'journal.newer',
    `${file} has schema ${version}, this version knows ${SCHEMA_VERSION}: install the newer version again`,
    { detail: { found: version, known: SCHEMA_VERSION, file } },
  );
}

/** `user_version` as it stands in the file (format of SQLite 3, offsets 60 and 68); 0 if the file is not ours. */
function versionIn(file: string): number {
  const head = firstBytes(file, HEADER_BYTES);
  return head.length === HEADER_BYTES && head.readUInt32BE(68) === APPLICATION_ID ? head.readUInt32BE(60) : 0;
}

function firstBytes(file: string, count: number): Buffer {
  const handle = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(count);
    return bytes.subarray(0, readSync(handle, bytes, 0, count, 0));
  } finally {
    closeSync(handle);
  }
}

function markOf(directory: string, file: string): string | undefined {
  const mark = damageMark(directory);
  return file === databaseOf(directory) && existsSync(mark) ? readFileSync(mark, 'utf8').slice(0, 500) : undefined;
}

function faultIn(db: Database.Database, size: number): string | undefined {
  try {
    const pragma = (name: string) => db.pragma(name, { simple: true });
    const needed = Number(pragma('page_count')) * Number(pragma('page_size'));
    const waiting = statSync(`${db.name}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (size < needed && waiting === 0) return `the file ends after ${size} of ${needed} bytes`;
    if (size > QUICK_CHECK_BYTES) return undefined;
    const found = pragma('quick_check(1)');
    return found === 'ok' ? undefined : String(found);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return reasonOf(error);
  }
}

/** Half a file may still answer some questions. */
function attempt<T>(db: Database.Database, ask: (db: Database.Database) => T): T | undefined {
  try {
    return ask(db);
  } catch {
    return undefined;
  }
}

const metaOf = (db: Database.Database): ReadonlyMap<string, string> =>
  new Map(
    db
      .prepare<[], { key: string; value: string }>('SELECT key, value FROM meta')
      .all()
      .map((row) => [row.key, row.value]),
  );

function identityIn(meta: ReadonlyMap<string, string>): Identity | undefined {
  const gateway = meta.get('gateway');
  const epoch = Number(meta.get('epoch'));
  return gateway && epoch > 0 ? { gateway, epoch } : undefined;
}

function lastPosition(db: Database.Database): string | undefined {
  const pos = db.prepare<[], { pos: number | null }>('SELECT max(pos) AS pos FROM record').get()?.pos;
  return pos == null ? undefined : formatPosition({ epoch: epochOf(pos), seq: seqOf(pos) });
}

const HEADER_BYTES = 100;
const LOOK_BYTES = 1 << 20;

/** A file whose head is gone may still be ours: near its beginning stands the text that made our tables. */
function looksOurs(file: string): boolean {
  return firstBytes(file, LOOK_BYTES).includes('CREATE TABLE record (');
}

/**
 * Reads a whole database and holds its structure against itself.
 * @returns what is wrong with it; undefined if nothing is
 * @throws SQLite errors that say nothing about the file: no rights, no memory
 */
export function soundness(file: string): string | undefined {
  const db = new Database(file, { readonly: true });
  try {
    const found = db.pragma('quick_check(1)', { simple: true });
    return found === 'ok' ? undefined : String(found);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return reasonOf(error);
  } finally {
    db.close();
  }
}

/** Anything else (no rights, no memory, no file handle) says nothing about the file. */
const isDamage = (error: unknown): boolean =>
  /^SQLITE_(CORRUPT|NOTADB|IOERR|FORMAT|ERROR|SCHEMA)/.test(String((error as { code?: unknown }).code));
