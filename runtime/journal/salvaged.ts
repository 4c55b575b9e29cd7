/** The way to what was salvaged of damaged journals, for whoever was asked about those days. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type StoredRow, toRecord } from './query.ts';
import type { Salvaged } from './salvage.ts';

export interface Rescue extends Pick<Salvaged, 'epochs' | 'torn'> {
  /** Its folder below `quarantine`. */
  readonly name: string;
  /** Of the first and last record by its own time of receipt, ms UTC. */
  readonly from: number | undefined;
  readonly to: number | undefined;
}

const PORTION = 1000;

/** Oldest first. What was not yet looked at is not among it. */
export function salvagedIn(directory: string): Rescue[] {
  const quarantine = join(directory, 'quarantine');
  if (!existsSync(quarantine)) return [];
  return readdirSync(quarantine)
    .sort()
    .filter((name) => existsSync(join(quarantine, name, 'salvaged.db')))
    .map((name) => {
      const facts = JSON.parse(readFileSync(join(quarantine, name, 'salvaged.json'), 'utf8')) as Rescue;
      return { name, epochs: facts.epochs, torn: facts.torn, ...timesOf(join(quarantine, name, 'salvaged.db')) };
    });
}

function timesOf(file: string): Pick<Rescue, 'from' | 'to'> {
  using db = opened(file);
  const received = (order: 'ASC' | 'DESC') =>
    db.file.prepare<[], number>(`SELECT received FROM record ORDER BY pos ${order} LIMIT 1`).pluck().get();
  return { from: received('ASC'), to: received('DESC') };
}

/**
 * Writes the records of one folder as NDJSON, one a line, as the API has them.
 * @param out a file that must not be there yet; undefined: standard output
 * @returns how many. @throws file system errors as they come
 */
export function exportSalvaged(directory: string, name: string, gateway: string, out: string | undefined): number {
  using db = opened(join(directory, 'quarantine', name, 'salvaged.db'));
  const rows = db.file.prepare<[number, number], StoredRow>(
    `SELECT pos, id, at, received, clock, lane, kind, scenario, device, name, data, quality, cause, actor
     FROM record WHERE pos > ? ORDER BY pos LIMIT ?`,
  );
  const file = out === undefined ? process.stdout.fd : openSync(out, 'wx', 0o600);
  let count = 0;
  try {
    for (let after = 0; ; ) {
      const some = rows.all(after, PORTION);
      const last = some.at(-1);
      if (!last) return count;
      writeWhole(file, some.map((row) => `${JSON.stringify(toRecord(row, gateway))}\n`).join(''));
      count += some.length;
      after = last.pos;
    }
  } finally {
    if (out !== undefined) closeSync(file);
  }
}

/** A pipe takes what it has room for. */
function writeWhole(file: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(file, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10); // its reader is slower
    }
  }
}

function opened(file: string): Disposable & { readonly file: Database.Database } {
  const db = new Database(file, { readonly: true, fileMustExist: true });
  return { file: db, [Symbol.dispose]: () => db.close() };
}
