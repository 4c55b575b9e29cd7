/** The main thread's side of the search index: tells the indexing thread of full blocks and commits what it makes. */
import { Worker } from 'node:worker_threads';
import type { Log } from '../log.ts';
import type { FromIndexWorker, IndexWorkerData, ToIndexWorker } from './index-worker.ts';
import { blockOf, type Write } from './postings.ts';

export interface Indexing {
  /** Records up to here (see `positionNumber`) are durable. */
  committed(head: number): void;
  /** Resolves when all that is durable now is indexed as far as it can be. */
  caughtUp(): Promise<void>;
  close(): Promise<void>;
}

/** A start has better things to do first. */
const START_MS = 2000;
const RESTART_MS = 10_000;
/** Where blocks fill rarely the thread is there only when one did. */
const IDLE_MS = 60_000;
const LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 384 };

export function createIndexing(
  data: IndexWorkerData,
  commit: (writes: readonly Write[]) => Promise<unknown>,
  log: Log,
): Indexing {
  let worker: Worker | undefined;
  let head = 0;
  let told: number | undefined;
  let closed = false;
  let turn = 0;
  let waiting: { turn: number; resolve: () => void }[] = [];
  let timer: NodeJS.Timeout | undefined;

  function start(): Worker {
    const made = new Worker(new URL('./index-worker.ts', import.meta.url), {
      workerData: data,
      resourceLimits: LIMITS,
    });
    made.unref();
    made.on('message', async (message: FromIndexWorker) => {
      if ('idle' in message) {
        for (const one of waiting) if (one.turn <= message.idle) one.resolve();
        waiting = waiting.filter((one) => one.turn > message.idle);
        if (message.idle === turn) later(IDLE_MS, end);
        return;
      }
      // No room, or closing: the block stays as it is, and is searched record by record.
      const written = await commit(message.writes).then(
        () => true,
        () => false,
      );
      if (worker === made && !closed) made.postMessage({ written } satisfies ToIndexWorker);
    });
    made.on('error', (error) =>
      log.error({ err: error }, 'the indexing thread has died; searches are slower meanwhile'),
    );
    made.once('exit', () => {
      if (worker !== made) return; // it was to end
      worker = undefined;
      later(RESTART_MS, tell);
    });
    return made;
  }

  function later(ms: number, action: () => void): void {
    if (closed) return;
    clearTimeout(timer);
    timer = setTimeout(action, ms);
    timer.unref();
  }

  function end(): void {
    void worker?.terminate();
    worker = undefined;
  }

  function tell(): void {
    if (closed) return;
    clearTimeout(timer);
    worker ??= start();
    worker.postMessage({ head, turn: ++turn } satisfies ToIndexWorker);
  }

  return {
    committed(position) {
      head = position;
      const full = blockOf(position + 1);
      if (full === told) return;
      if (told === undefined) later(START_MS, tell);
      else tell();
      told = full;
    },
    caughtUp: () =>
      new Promise((resolve) => {
        tell();
        waiting.push({ turn, resolve });
      }),
    async close() {
      closed = true;
      clearTimeout(timer);
      for (const { resolve } of waiting) resolve();
      await worker?.terminate();
    },
  };
}
