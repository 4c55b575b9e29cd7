/** A folder for the length of a measurement, and a bare database in it as durable as the journal's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { WRITER_PRAGMAS } from '../../runtime/journal/schema.ts';

/** Removed when disposed. */
export function openFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'gh-bench-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

export function openBare(folder: string): Database.Database {
  const db = new Database(join(folder, 'bare.db'));
  for (const pragma of WRITER_PRAGMAS) db.pragma(pragma);
  return db;
}
