/**
 * From the tables of an older version to today's: all steps in one transaction, before the journal opens, after a copy
 * was made. A gateway killed at any moment of it has the old version or the new one, never something between.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { copyConfig } from './copies.ts';
import { SCHEMA_VERSION } from './schema.ts';

interface Migration {
  /** Version the file has afterwards. */
  readonly to: number;
  /** Statements only: BEGIN and COMMIT are around all steps together. */
  up(db: Database.Database): void;
}

/** In order. A new table needs no step, the journal's schema makes it; what changes or drops something does. */
const migrations: readonly Migration[] = [
  {
    // Postings take their place, made behind the write; until they are there, records are searched one by one.
    to: 2,
    up(db) {
      db.exec('DROP INDEX IF EXISTS record_time; DROP INDEX IF EXISTS record_device');
      addColumn(db, 'site', 'storage');
    },
  },
  {
    // A device says what it is connected through, a site how it answers alarms.
    to: 3,
    up(db) {
      addColumn(db, 'device', 'parent');
      addColumn(db, 'site', 'alarms');
    },
  },
  {
    // Where the site lies and its own list of holidays.
    to: 4,
    up(db) {
      addColumn(db, 'site', 'location');
      addColumn(db, 'site', 'calendar');
      addColumn(db, 'platform_token', 'scope');
    },
  },
  {
    // Which part of the compound a fire acts in.
    to: 5,
    up(db) {
      addColumn(db, 'site', 'linkages');
    },
  },
];

/** Nothing where the table is made later, with the column in it. */
function addColumn(db: Database.Database, table: string, column: string): void {
  const columns = db.prepare<[string], string>('SELECT name FROM pragma_table_info(?)').pluck().all(table);
  if (columns.length > 0 && !columns.includes(column)) db.exec(`ALTER TABLE ${table} ADD COLUMN ${column} TEXT`);
}

export interface Migrated {
  readonly from: number;
  readonly to: number;
  /** The copy of before, relative to the data directory. */
  readonly backup: string;
}

const KEPT = 2;
const SPARE_BYTES = 256 << 20;
const BACKUP = /^before-v(\d+)-.*\.db$/;

/**
 * Brings `<directory>/gatehouse.db` of version `from` to this program's version.
 * @param stamp names the copy
 * @param onStatement for tests: told each statement before it runs
 * @throws file system and SQLite errors as they come; the file is then as it was
 */
export function migrate(
  directory: string,
  from: number,
  stamp: string,
  onStatement?: (sql: unknown) => void,
): Migrated {
  const file = join(directory, 'gatehouse.db');
  const db = new Database(file, onStatement ? { verbose: onStatement } : {});
  try {
    db.pragma('synchronous = FULL');
    db.pragma('wal_checkpoint(TRUNCATE)'); // what the WAL has is in the file that is copied
    const backup = copyBefore(directory, file, stamp);
    db.transaction(() => {
      for (const { to, up } of migrations) if (to > from) up(db);
      db.pragma(`user_version = ${SCHEMA_VERSION}`);
    }).immediate();
    db.pragma('wal_checkpoint(TRUNCATE)');
    return { from, to: SCHEMA_VERSION, backup };
  } finally {
    db.close();
  }
}

/** The whole file if there is room for it, else everything but the records. */
function copyBefore(directory: string, file: string, stamp: string): string {
  const folder = join(directory, 'backups');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(folder)) if (name.endsWith('.part')) rmSync(join(folder, name));
  const name = `before-v${SCHEMA_VERSION}-${stamp.replaceAll(/[^0-9A-Za-z-]/g, '-')}.db`;
  const draft = join(folder, `${name}.part`);
  const { bavail, bsize } = statfsSync(folder);
  if (statSync(file).size + SPARE_BYTES < bavail * bsize) copyFileSync(file, draft, constants.COPYFILE_FICLONE);
  else copyConfig(file, draft);
  flush(draft);
  renameSync(draft, join(folder, name));
  flush(folder);
  const old = readdirSync(folder)
    .filter((found) => BACKUP.test(found))
    .map((found) => ({ found, made: statSync(join(folder, found)).mtimeMs }))
    .sort((a, b) => b.made - a.made);
  for (const { found } of old.slice(KEPT)) if (found !== name) rmSync(join(folder, found));
  return join('backups', name);
}

function flush(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** The copies taken before upgrades, newest first, as names below `<directory>/backups`. */
export function upgradeCopies(directory: string): string[] {
  const folder = join(directory, 'backups');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => BACKUP.test(name))
    .sort()
    .reverse();
}
