/**
 * One gateway per data directory. SQLite's own exclusive lock on a file beside the journal: the kernel releases it with
 * the process, however that ends, and it is taken before anything else is opened.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';

/** A gateway that is stopping gets this long to let go. */
const PATIENCE_MS = 1500;

/** @returns undefined if another process holds the directory; otherwise what lets it go. */
export function lockDirectory(directory: string): Disposable | undefined {
  const db = new Database(join(directory, 'lock.db'), { timeout: PATIENCE_MS });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if ((error as { code?: unknown }).code === 'SQLITE_BUSY') return undefined;
    throw error;
  }
  return {
    [Symbol.dispose]() {
      db.close();
    },
  };
}
