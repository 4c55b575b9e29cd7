/** A thread that searches the journal on a read-only connection of its own, so that the main thread never waits for it. */
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { reasonOf } from '../errors.ts';
import { type StoredRow, toRecord } from './query.ts';
import { createSearch, type SearchRequest } from './search.ts';

export interface SearchWorkerData {
  readonly file: string;
  readonly gateway: string;
}
export type ToSearchWorker = SearchRequest;
export type FromSearchWorker =
  /** `records` is the JSON text of an array: shorter to make, send and read than the objects. */
  | { readonly records: string; readonly count: number; readonly through: number; readonly done: boolean }
  | { readonly failed: string };

function runSearches(port: NonNullable<typeof parentPort>, { file, gateway }: SearchWorkerData): void {
  const db = new Database(file, { readonly: true });
  const { search } = createSearch<StoredRow>(db, '*');
  const page = db.transaction(search); // one state of the journal for all statements of a page
  port.on('message', (request: ToSearchWorker) => {
    try {
      const { rows, through, done } = page(request);
      const records = JSON.stringify(rows.map((row) => toRecord(row, gateway)));
      port.postMessage({ records, count: rows.length, through, done } satisfies FromSearchWorker);
    } catch (error) {
      port.postMessage({ failed: reasonOf(error) } satisfies FromSearchWorker);
    }
  });
}

if (parentPort) runSearches(parentPort, workerData as SearchWorkerData);
