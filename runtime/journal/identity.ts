/**
 * Who this gateway is and which life its journal is in, kept twice, in the database and in identity.json (R4); and what
 * is done when at start the two, or the file itself, are not as they were left. Nothing is ever deleted.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join, relative } from 'node:path';
import Database from 'better-sqlite3';
import type { Draft } from '../contracts/record.ts';
import { type Copied, copyTables } from './copies.ts';
import { databaseOf, type Finding, type Identity, inspect, readIdentity } from './inspect.ts';
import { type Migrated, migrate } from './migrations.ts';
import { repairHead } from './repair.ts';
import { APPLICATION_ID, journalSchema, SCHEMA_VERSION, WRITER_PRAGMAS } from './schema.ts';

export type { Identity } from './inspect.ts';

/** Why a new epoch had to begin. */
export type EpochReason = 'first' | 'missing' | 'damaged' | 'foreign' | 'identity' | 'older' | 'restored';

/** What the first record of a new epoch tells. Kept in the database until that record is there. */
export interface NewEpoch {
  readonly reason: EpochReason;
  /** Last place of the journal before, `epoch:seq`, as far as it could be read. */
  readonly lastKnown?: string;
  /** What SQLite says is wrong. */
  readonly fault?: string;
  /** Where what was found is kept, absolute. */
  readonly quarantine?: string;
  /** Configuration and state that were taken over, and from where. */
  readonly takenOver?: Copied & { readonly from: 'damaged' | 'backup' };
  /** The archive restored from. */
  readonly archive?: string;
}

/** What was found at start; `reason` is set when a new epoch had to begin. */
export interface Start extends Partial<NewEpoch> {
  readonly identity: Identity;
  readonly migrated?: Migrated;
}

export interface Ground {
  readonly directory: string;
  /** Names folders and copies, e.g. `2026-11-21T05-00-00Z`. */
  readonly stamp: string;
  /** Asked when the tables of a damaged file cannot all be read: a plain copy of them from the newest backup. */
  readonly configCopy?: () => Promise<string | undefined>;
}

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
  flushFolder(join(path, '..'));
}

function flushFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/**
 * Finds or makes the journal file and the identity. What is damaged, foreign, missing, restored or older than it should be
 * begins a new epoch; sequence numbers are never used again. An older version's file is brought up to date.
 * @throws GatehouseError `journal.newer`: then nothing has been touched
 */
export async function establish({ directory, stamp, configCopy }: Ground): Promise<Start> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = databaseOf(directory);
  const draft = `${file}.new`;
  // Killed between putting the old file aside and putting the new one in its place: the new one is complete.
  if (!existsSync(file) && inspect(directory, draft).state === 'ours') {
    const { quarantine } = pendingEpoch(draft);
    if (quarantine !== undefined) putAside(directory, DATABASE_FILES, quarantine);
    moveDatabase(draft, file);
  }
  removeDatabase(draft);
  removeDatabase(`${file}.repaired`);

  const identityFile = join(directory, 'identity.json');
  const read = readIdentity(identityFile);
  const known = read === 'garbled' ? undefined : read;
  const found = inspect(directory);
  const plan = decide(read, found);
  if (plan === undefined) {
    const identity = (found as Extract<Finding, { state: 'ours' }>).identity;
    if (known?.epoch !== identity.epoch) writeDurably(identityFile, JSON.stringify(identity));
    return { ...upToDate(directory, found, stamp), identity, ...pendingEpoch(file) };
  }

  const before = 'identity' in found ? found.identity : undefined;
  const gateway = known?.gateway ?? (plan === 'foreign' ? undefined : before?.gateway);
  const sameGateway = before !== undefined && before.gateway === gateway;
  const identity: Identity = {
    gateway: gateway ?? `gh-${randomBytes(5).toString('hex')}`,
    epoch: Math.max(known?.epoch ?? 0, sameGateway ? before.epoch : 0) + 1,
  };
  const told = {
    reason: plan,
    ...('lastKnown' in found && found.lastKnown !== undefined && sameGateway ? { lastKnown: found.lastKnown } : {}),
    ...('fault' in found ? { fault: found.fault } : {}),
    ...('restored' in found && found.restored !== undefined ? { archive: found.restored } : {}),
  };
  if (read === 'garbled') putAside(directory, ['identity.json'], freeFolder(directory, stamp));
  writeDurably(identityFile, JSON.stringify(identity)); // before the database: an epoch once named is never used again
  if (found.state === 'ours' && plan !== 'foreign') {
    const migrated = upToDate(directory, found, stamp);
    beginEpoch(file, identity, told);
    return { identity, ...told, ...migrated };
  }
  return { identity, ...(await replace({ directory, stamp, ...(configCopy ? { configCopy } : {}) }, identity, told)) };
}

/** @returns undefined if the journal goes on as it is */
function decide(known: Identity | 'garbled' | undefined, found: Finding): EpochReason | undefined {
  if (found.state === 'missing') return known === undefined ? 'first' : 'missing';
  if (found.state !== 'ours') return found.state;
  if (found.restored !== undefined) return 'restored';
  if (known === undefined || known === 'garbled') return 'identity';
  if (known.gateway !== found.identity.gateway) return 'foreign';
  return known.epoch > found.identity.epoch ? 'older' : undefined;
}

function upToDate(directory: string, found: Finding, stamp: string): { migrated?: Migrated } {
  if (found.state !== 'ours' || found.version === SCHEMA_VERSION) return {};
  return { migrated: migrate(directory, found.version, stamp) };
}

/** A new file in place of the one found: complete before the old one moves, so that no moment is without configuration. */
async function replace(
  { directory, stamp, configCopy }: Ground,
  identity: Identity,
  told: NewEpoch,
): Promise<NewEpoch> {
  const file = databaseOf(directory);
  const draft = `${file}.new`;
  const repaired = `${file}.repaired`;
  const quarantine = DATABASE_FILES.some((name) => existsSync(join(directory, name)))
    ? freeFolder(directory, stamp)
    : undefined;
  let epoch: NewEpoch = { ...told, ...(quarantine === undefined ? {} : { quarantine }) };
  const sources: { from: 'damaged' | 'backup'; file: () => Promise<string | undefined> | string | undefined }[] = [
    ...(told.reason === 'damaged'
      ? [
          { from: 'damaged' as const, file: () => file },
          { from: 'damaged' as const, file: () => (repairHead(file, repaired) ? repaired : undefined) },
        ]
      : []),
    ...(configCopy && told.reason !== 'first' ? [{ from: 'backup' as const, file: configCopy }] : []),
  ];
  for (const source of sources) {
    if (source.from === 'damaged' && epoch.takenOver) continue; // its list of tables could be read: no repair needed
    const path = await source.file();
    const copied = path === undefined ? undefined : tablesOf(path, draft, identity);
    if (copied === undefined) continue;
    // What is readable of the damaged file is newer than any copy: a copy is taken only when something is missing.
    epoch = { ...epoch, takenOver: { ...copied, from: source.from } };
    if (copied.unreadable.length === 0) break;
  }
  removeDatabase(repaired);
  beginEpoch(draft, identity, epoch);
  if (quarantine !== undefined) putAside(directory, DATABASE_FILES, quarantine);
  moveDatabase(draft, file);
  return epoch;
}

/** A new database with the tables of another. @returns undefined if nothing of it can be read */
function tablesOf(source: string, target: string, identity: Identity): Copied | undefined {
  removeDatabase(target);
  makeDatabase(target, identity);
  let from: Database.Database | undefined;
  const to = new Database(target);
  try {
    from = new Database(source, { readonly: true });
    const old = from;
    return to.transaction(() => copyTables(old, to))();
  } catch {
    return undefined; // not even its list of tables: the next source is asked, or there is none
  } finally {
    from?.close();
    to.close();
  }
}

function makeDatabase(file: string, identity: Identity): void {
  closeSync(openSync(file, 'a', 0o600)); // SQLite gives its WAL the rights of the database
  const db = new Database(file);
  try {
    db.pragma('auto_vacuum = INCREMENTAL'); // first: it has no effect on a file that holds anything
    for (const pragma of WRITER_PRAGMAS) db.pragma(pragma);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${SCHEMA_VERSION}`);
    db.transaction(() => {
      db.exec(journalSchema);
      putMeta(db, { gateway: identity.gateway });
    })();
  } finally {
    db.close();
  }
}

const putMeta = (db: Database.Database, values: Readonly<Record<string, string>>): void => {
  const put = db.prepare('INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value');
  for (const [key, value] of Object.entries(values)) put.run(key, value);
};

/** Moves a database of ours, made if need be, to a new epoch. What happened stays in it until a record tells it. */
function beginEpoch(file: string, identity: Identity, told: NewEpoch): void {
  if (!existsSync(file)) makeDatabase(file, identity);
  const db = new Database(file);
  try {
    for (const pragma of WRITER_PRAGMAS) db.pragma(pragma);
    db.transaction(() => {
      putMeta(db, { gateway: identity.gateway, epoch: String(identity.epoch), begun: JSON.stringify(told) });
      db.exec(`DELETE FROM meta WHERE key = 'restored'`);
    })();
  } finally {
    db.close();
  }
}

/** Removes what {@link beginEpoch} left, in the transaction that writes the first record. */
export const EPOCH_TOLD = { sql: `DELETE FROM meta WHERE key = 'begun'`, params: [] } as const;

/** An epoch that began, and the process ended before its first record was there. */
function pendingEpoch(file: string): Partial<NewEpoch> {
  const db = new Database(file, { readonly: true });
  try {
    const row = db.prepare<[], { value: string }>(`SELECT value FROM meta WHERE key = 'begun'`).get();
    return row ? (JSON.parse(row.value) as NewEpoch) : {};
  } finally {
    db.close();
  }
}

const DATABASE_FILES = ['gatehouse.db', 'gatehouse.db-wal', 'gatehouse.db-shm', 'damaged.json'];

function freeFolder(directory: string, stamp: string): string {
  const plain = join(directory, 'quarantine', stamp);
  for (let n = 1; ; n++) {
    const folder = n === 1 ? plain : `${plain}-${n}`;
    if (!existsSync(folder)) return folder;
  }
}

/** Moves files into the quarantine, never over another. */
function putAside(directory: string, names: readonly string[], folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of names) {
    if (existsSync(join(directory, name))) renameSync(join(directory, name), join(folder, name));
  }
  flushFolder(folder);
  flushFolder(directory);
}

const SUFFIXES = ['', '-wal', '-shm'];
const removeDatabase = (file: string): void => {
  for (const suffix of SUFFIXES) rmSync(file + suffix, { force: true });
};
/** Only of a closed one: closing has emptied its WAL. */
const moveDatabase = (from: string, to: string): void => {
  for (const suffix of SUFFIXES.slice(1)) rmSync(to + suffix, { force: true });
  renameSync(from, to);
  flushFolder(join(to, '..'));
};

/**
 * Marks a database as taken from an archive: the next start begins a new epoch and says where it came from.
 * @throws Error if it names no gateway
 */
export function markRestored(file: string, archive: string): Identity {
  const db = new Database(file);
  try {
    db.pragma('synchronous = FULL');
    const meta = db.prepare<[string], { value: string }>('SELECT value FROM meta WHERE key = ?');
    const identity = { gateway: meta.get('gateway')?.value ?? '', epoch: Number(meta.get('epoch')?.value) };
    if (identity.gateway === '' || !(identity.epoch > 0)) throw new Error(`${file} names no gateway`);
    db.transaction(() => {
      putMeta(db, { restored: archive });
      db.exec(`DELETE FROM meta WHERE key = 'begun'`);
    })();
    return identity;
  } finally {
    db.close();
  }
}

/** The first record of an epoch. @param lastKnown the last place before it, `epoch:seq` */
export function epochDraft(directory: string, start: Start, lastKnown: string | undefined): Draft {
  const { reason, fault, quarantine, takenOver, archive } = start;
  return {
    lane: 'L0',
    kind: 'epoch',
    scenario: 'gateway',
    device: '',
    name: 'journal.epoch',
    data: {
      reason,
      ...(lastKnown === undefined ? {} : { lastKnown }),
      ...(fault === undefined ? {} : { fault }),
      ...(quarantine === undefined ? {} : { quarantine: relative(directory, quarantine) }),
      ...(takenOver === undefined ? {} : { takenOver }),
      ...(archive === undefined ? {} : { archive }),
    },
    actor: 'system:journal',
  };
}
