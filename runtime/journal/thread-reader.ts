/** Pages of records for threads that read much: on a read-only connection of their own. */
import Database from 'better-sqlite3';
import type { JournalRecord } from '../contracts/record.ts';
import { type StoredRow, toRecord } from './query.ts';
import { createSearch, type SearchPage, type SearchRequest } from './search.ts';

export interface ThreadReader {
  /** Every page is read from one state of the journal, which is held for no longer than the page takes. */
  page(request: SearchRequest): Pick<SearchPage<StoredRow>, 'through' | 'done'> & { readonly records: JournalRecord[] };
  close(): void;
}

/** @param file of the journal */
export function openThreadReader(file: string, gateway: string): ThreadReader {
  const db = new Database(file, { readonly: true });
  const { search } = createSearch<StoredRow>(db, '*');
  return {
    page(request) {
      const { rows, ...rest } = search(request);
      return { ...rest, records: rows.map((row) => toRecord(row, gateway)) };
    },
    close: () => void db.close(),
  };
}
