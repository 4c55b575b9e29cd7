/**
 * Searches on threads of their own. A long one goes in slices, each on a fresh state of the journal, so that no reader
 * keeps the WAL from being emptied; a thread that dies is replaced and its slice asked for again.
 */
import { Worker } from 'node:worker_threads';
import type { RecordsPage } from '../contracts/api.ts';
import { formatPosition, type JournalRecord, type Position } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import type { Log } from '../log.ts';
import { pageLimit, type RecordQuery } from './query.ts';
import { epochOf, positionNumber, seqOf } from './schema.ts';
import type { SearchRequest } from './search.ts';
import type { FromSearchWorker, SearchWorkerData, ToSearchWorker } from './search-worker.ts';

const THREADS = 2;
/** A second thread is for when it is needed; each takes some 25 MB. */
const SPARE_IDLE_MS = 30_000;
const LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 128 };
/** Whoever searches longer than this is told to ask for less. */
const LONGEST_MS = 8000;
/** Others wait no longer than this for a thread. */
const SLICE_MS = 50;
const ATTEMPTS = 2;
const MOST_WAITING = 64;

export interface Searches {
  /**
   * @param head nothing behind it is looked at
   * @throws GatehouseError `record.slow`, `record.search`; the signal's reason
   */
  page(query: RecordQuery, head: Position, signal?: AbortSignal): Promise<RecordsPage>;
  close(): Promise<void>;
}

type Answer = Exclude<FromSearchWorker, { failed: string }>;
interface Job {
  readonly request: SearchRequest;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  attempts: number;
}
interface Thread {
  readonly worker: Worker;
  job: Job | undefined;
  ending?: NodeJS.Timeout;
}

export interface SearchTimes {
  readonly longestMs: number;
  readonly sliceMs: number;
}

export function createSearches(
  data: SearchWorkerData,
  log: Log,
  { longestMs, sliceMs }: SearchTimes = { longestMs: LONGEST_MS, sliceMs: SLICE_MS },
): Searches {
  const threads = new Set<Thread>();
  const waiting: Job[] = [];
  let closed = false;

  function start(): Thread {
    const worker = new Worker(new URL('./search-worker.ts', import.meta.url), {
      workerData: data,
      resourceLimits: LIMITS,
    });
    const thread: Thread = { worker, job: undefined };
    threads.add(thread);
    worker.unref();
    worker.on('message', (message: FromSearchWorker) => {
      const { job } = thread;
      thread.job = undefined;
      if ('failed' in message) job?.reject(new GatehouseError('record.search', message.failed));
      else job?.resolve(message);
      next();
      if (!thread.job && threads.size > 1) {
        thread.ending = setTimeout(() => void worker.terminate(), SPARE_IDLE_MS);
        thread.ending.unref();
      }
    });
    worker.on('error', (error) => log.error({ err: error }, 'a search thread has died'));
    worker.once('exit', () => {
      threads.delete(thread);
      clearTimeout(thread.ending);
      const { job } = thread;
      if (job && !closed && job.attempts < ATTEMPTS) waiting.unshift(job);
      else job?.reject(new GatehouseError('record.search', 'The search thread has ended'));
      next();
    });
    return thread;
  }

  function next(): void {
    while (waiting.length > 0 && !closed) {
      const free = [...threads].find(({ job }) => job === undefined) ?? (threads.size < THREADS ? start() : undefined);
      const job = free && waiting.shift();
      if (!free || !job) return;
      clearTimeout(free.ending);
      free.job = job;
      job.attempts++;
      free.worker.postMessage(job.request satisfies ToSearchWorker);
    }
  }

  const slice = (request: SearchRequest): Promise<Answer> =>
    new Promise((resolve, reject) => {
      if (closed) return reject(new GatehouseError('journal.closed', 'The journal is closed'));
      if (waiting.length >= MOST_WAITING) {
        return reject(new GatehouseError('record.slow', `${waiting.length} searches are waiting`));
      }
      waiting.push({ request, resolve, reject, attempts: 0 });
      next();
    });

  return {
    async page(query, head, signal) {
      const end = performance.now() + longestMs;
      const limit = pageLimit(query);
      const items: JournalRecord[] = [];
      for (let from = query; ; ) {
        signal?.throwIfAborted();
        const request = { query: from, head: positionNumber(head.epoch, head.seq), within: sliceMs };
        const { records, done, through } = await slice({ ...request, limit: limit - items.length });
        items.push(...(JSON.parse(records) as JournalRecord[]));
        const last = items.at(-1);
        if (done) {
          const full = last && items.length === limit;
          return { items, ...(full ? { next: formatPosition(last) } : {}), head: formatPosition(head) };
        }
        if (performance.now() > end) {
          throw new GatehouseError('record.slow', `Searched up to ${formatPosition(placeOf(through))} only`);
        }
        from = { ...query, [query.order === 'desc' ? 'before' : 'after']: placeOf(through) };
      }
    },
    async close() {
      closed = true;
      for (const job of waiting.splice(0)) job.reject(new GatehouseError('journal.closed', 'The journal is closed'));
      await Promise.all([...threads].map(({ worker }) => worker.terminate()));
    },
  };
}

const placeOf = (position: number): Position => ({ epoch: epochOf(position), seq: seqOf(position) });
