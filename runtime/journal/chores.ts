/**
 * Work on the write connection beside the records, done between two batches. Each is short, or goes in short steps, so
 * that no commit waits for it.
 */
import type Database from 'better-sqlite3';
import { PAGE_BYTES } from './schema.ts';

/** Pages of 4 KiB copied between two looks at the queue: about a millisecond. */
const BACKUP_STEP_PAGES = 128;

export const chores = {
  /** Gives up to `pages` free pages back to the file system. @returns how many it gave */
  reclaim(db: Database.Database, pages: number): number {
    const before = freePages(db);
    db.pragma(`incremental_vacuum(${Math.max(1, Math.trunc(pages))})`);
    return before - freePages(db);
  },
  /** Moves the whole WAL into the database, as far as readers let it. */
  checkpoint(db: Database.Database): void {
    db.pragma('wal_checkpoint(TRUNCATE)');
  },
  /** The file grows no further than to so many bytes from now on, or stays where it is (reliability.md B1). */
  limit(db: Database.Database, bytes: number): void {
    db.pragma(`max_page_count = ${Math.max(1, Math.floor(bytes / PAGE_BYTES))}`);
  },
  /** A consistent copy. On this connection records that come meanwhile reach the copy too and never start it again. */
  async backup(db: Database.Database, file: string): Promise<void> {
    await db.backup(file, { progress: () => BACKUP_STEP_PAGES });
  },
} satisfies Record<string, (db: Database.Database, argument: never) => unknown>;

const freePages = (db: Database.Database): number => db.pragma('freelist_count', { simple: true }) as number;

export type Chores = typeof chores;
export type ChoreName = keyof Chores;
export type ChoreArgument<Name extends ChoreName> = Parameters<Chores[Name]>[1];
export type ChoreResult<Name extends ChoreName> = Awaited<ReturnType<Chores[Name]>>;
