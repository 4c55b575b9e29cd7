/** Copies of a database's tables and looks at whole files; safe on files of which nothing is known. */
import Database from 'better-sqlite3';
import { formatPosition } from '../contracts/record.ts';
import { reasonOf } from '../errors.ts';
import { epochOf, seqOf } from './schema.ts';

/** Records and what is made from them. Everything else is configuration and state: small, and what a gateway needs to go on. */
const RECORDS = /^(record|audit_.*|search_.*|removal|rollup.*|storage_.*)$/;
const PLAIN_NAME = /^[a-z][a-z0-9_]{0,62}$/;

export interface Copied {
  readonly tables: number;
  readonly rows: number;
  /** Tables that could not be read to their end; nothing of them was copied. */
  readonly unreadable: readonly string[];
}

interface SchemaRow {
  readonly type: 'table' | 'index';
  readonly name: string;
  readonly table: string;
  readonly sql: string;
}

/**
 * Copies every table that holds no records into `to`, one by one: one that cannot be read leaves the others alone. Call
 * it inside a transaction on `to`.
 * @throws the SQLite error if not even the list of tables can be read
 */
export function copyTables(from: Database.Database, to: Database.Database): Copied {
  const schema = from
    .prepare<[], SchemaRow>(
      `SELECT type, name, tbl_name AS "table", sql FROM sqlite_schema
       WHERE type IN ('table', 'index') AND sql IS NOT NULL ORDER BY type DESC, name`,
    )
    .all()
    .filter(({ name, table }) => PLAIN_NAME.test(name) && !RECORDS.test(table) && table !== 'meta');
  const known = new Set(
    to
      .prepare<[], { name: string }>('SELECT name FROM sqlite_schema')
      .all()
      .map(({ name }) => name),
  );
  const unreadable: string[] = [];
  let rows = 0;
  let tables = 0;
  for (const { type, name, sql } of schema) {
    if (type === 'index') continue;
    to.exec('SAVEPOINT one');
    try {
      if (!known.has(name)) {
        to.exec(sql);
        for (const entry of schema) if (entry.type === 'index' && entry.table === name) to.exec(entry.sql);
      }
      rows += copyRows(from, to, name);
      tables++;
    } catch {
      to.exec('ROLLBACK TO one');
      unreadable.push(name);
    }
    to.exec('RELEASE one');
  }
  return { tables, rows, unreadable };
}

function copyRows(from: Database.Database, to: Database.Database, table: string): number {
  const read = from.prepare<[], unknown[]>(`SELECT * FROM "${table}"`).safeIntegers(true).raw(true);
  const columns = read.columns().map(({ name }) => `"${name.replaceAll('"', '""')}"`);
  const write = to.prepare<unknown[]>(
    `INSERT OR REPLACE INTO "${table}" (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
  );
  let rows = 0;
  for (const row of read.iterate()) {
    write.run(...row);
    rows++;
  }
  return rows;
}

/** @returns undefined if SQLite finds nothing wrong, else what it says first. Reads the whole file. */
export function faultOf(file: string): string | undefined {
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { readonly: true });
    const found = db.pragma('quick_check(1)', { simple: true });
    return found === 'ok' ? undefined : String(found);
  } catch (error) {
    return reasonOf(error);
  } finally {
    db?.close();
  }
}

/**
 * Writes the tables without records of a database that may be in use into a new file, as of one moment.
 * @param to does not exist yet
 */
export function copyConfig(file: string, to: string): Copied {
  const from = new Database(file, { readonly: true });
  const target = new Database(to);
  try {
    target.pragma('synchronous = FULL');
    for (const pragma of ['application_id', 'user_version'])
      target.pragma(`${pragma} = ${Number(from.pragma(pragma, { simple: true }))}`);
    return from.transaction(() =>
      target.transaction(() => {
        for (const table of ['meta', 'record']) {
          const row = from
            .prepare<[string], { sql: string }>('SELECT sql FROM sqlite_schema WHERE name = ?')
            .get(table);
          if (row) target.exec(row.sql);
        }
        const identity = from.prepare<[], [string, string]>(
          `SELECT key, value FROM meta WHERE key IN ('gateway', 'epoch')`,
        );
        const put = target.prepare<[string, string]>('INSERT INTO meta VALUES (?, ?)');
        for (const row of identity.raw(true).all()) put.run(...row);
        const copied = copyTables(from, target);
        if (copied.unreadable.length > 0) throw new Error(`Cannot read ${copied.unreadable.join(', ')} of ${file}`);
        return copied;
      })(),
    )();
  } finally {
    target.close();
    from.close();
  }
}

/** A copy of a whole database that another process may be writing, as of one moment: one step, so that it never starts again. */
export async function copyWhole(file: string, to: string): Promise<void> {
  const db = new Database(file, { readonly: true });
  try {
    await db.backup(to, { progress: () => 0x7fff_ffff });
  } finally {
    db.close();
  }
}

export interface DatabaseFacts {
  readonly schema: number;
  readonly epoch: number;
  /** First and last place of its records, `epoch:seq`; absent if it has none. */
  readonly first?: string;
  readonly last?: string;
}

/** What a manifest says of a database of ours. */
export function factsOf(file: string): DatabaseFacts {
  const db = new Database(file, { readonly: true });
  try {
    const range = db
      .prepare<[], { low: number | null; high: number | null }>(
        'SELECT (SELECT min(pos) FROM record) AS low, (SELECT max(pos) FROM record) AS high',
      )
      .get();
    const epoch = db.prepare<[], { value: string }>(`SELECT value FROM meta WHERE key = 'epoch'`).get();
    const place = (pos: number) => formatPosition({ epoch: epochOf(pos), seq: seqOf(pos) });
    return {
      schema: Number(db.pragma('user_version', { simple: true })),
      epoch: Number(epoch?.value),
      ...(range?.low == null ? {} : { first: place(range.low) }),
      ...(range?.high == null ? {} : { last: place(range.high) }),
    };
  } finally {
    db.close();
  }
}
