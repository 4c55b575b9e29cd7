/** A thread that searches the journal on a read-only connection of its own, so that the main thread never waits for it. */
import { parentPort, workerData } from 'node:worker_threads';
import { reasonOf } from '../errors.ts';
import type { SearchRequest } from './search.ts';
import { openThreadReader } from './thread-reader.ts';

export interface SearchWorkerData {
  readonly file: string;
  readonly gateway: string;
}
export type ToSearchWorker = SearchRequest;
export type FromSearchWorker =
  /** `records` is the JSON text of an array: shorter to make, send and read than the objects. */
  { readonly records: string; readonly through: number; readonly done: boolean } | { readonly failed: string };

function runSearches(port: NonNullable<typeof parentPort>, { file, gateway }: SearchWorkerData): void {
  const reader = openThreadReader(file, gateway);
  port.on('message', (request: ToSearchWorker) => {
    try {
      const { records, through, done } = reader.page(request);
      port.postMessage({ records: JSON.stringify(records), through, done } satisfies FromSearchWorker);
    } catch (error) {
      port.postMessage({ failed: reasonOf(error) } satisfies FromSearchWorker);
    }
  });
}

if (parentPort) runSearches(parentPort, workerData as SearchWorkerData);
