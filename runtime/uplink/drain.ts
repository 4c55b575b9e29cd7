/** The main thread's side of drain-worker.ts: one thread for all uplinks of a journal, there only while it is needed. */
import { Worker } from 'node:worker_threads';
import type { Clock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Ask, DrainData, FromDrain, Piece, ToDrain } from './drain-worker.ts';

export type { Ask, Piece } from './drain-worker.ts';

/** Who goes first: urgent lanes, bulk lanes, replays. */
const urgencies = ['urgent', 'bulk', 'replay'] as const;
export type Urgency = (typeof urgencies)[number];

export interface Drain {
  /** @throws GatehouseError `journal.closed` after a close, `journal.write` if the journal cannot be read */
  read(ask: Ask, urgency: Urgency): Promise<readonly Piece[]>;
  /** The last one to close ends the thread. */
  close(): Promise<void>;
}

interface Waiting {
  readonly ask: Ask;
  readonly resolve: (pieces: readonly Piece[]) => void;
  readonly reject: (error: Error) => void;
}
interface Shared {
  users: number;
  read: Drain['read'];
  end(): Promise<void>;
}

/** Requests with the worker: the next one lies ready when it has answered. */
const AHEAD = 2;
const IDLE_MS = 30_000;
const HEAP_MB = 64;

const shared = new WeakMap<Journal, Shared>();

export function openDrain(journal: Journal, clock: Clock): Drain {
  const thread = shared.get(journal) ?? createThread({ file: journal.db.name, gateway: journal.gateway }, clock);
  shared.set(journal, thread);
  thread.users++;
  let closed = false;
  return {
    read: (ask, urgency) =>
      closed ? Promise.reject(new GatehouseError('journal.closed', 'no longer read')) : thread.read(ask, urgency),
    async close() {
      if (closed) return;
      closed = true;
      if (--thread.users > 0) return;
      shared.delete(journal);
      await thread.end();
    },
  };
}

function createThread(data: DrainData, clock: Clock): Shared {
  const queues: Record<Urgency, Waiting[]> = { urgent: [], bulk: [], replay: [] };
  const asked = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let turns = 0;
  let cancelIdle: (() => void) | undefined;

  function fail(error: Error): void {
    worker = undefined;
    const lost = [...asked.values(), ...urgencies.flatMap((urgency) => queues[urgency].splice(0))];
    asked.clear();
    for (const { reject } of lost) reject(error);
  }
  function start(): Worker {
    const made = new Worker(new URL('./drain-worker.ts', import.meta.url), {
      workerData: data,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    made.unref();
    made.on('message', (message: FromDrain) => {
      const waiting = asked.get(message.turn);
      asked.delete(message.turn);
      next();
      if ('pieces' in message) waiting?.resolve(message.pieces);
      else waiting?.reject(new GatehouseError('journal.write', `The journal cannot be read: ${message.failed}`));
    });
    made.on('error', (error) => {
      if (made === worker) fail(new GatehouseError('journal.write', `The reader has died: ${error.message}`));
    });
    made.on('exit', () => {
      if (made === worker) fail(new GatehouseError('journal.closed', 'The reader has ended'));
    });
    return made;
  }
  function next(): void {
    cancelIdle?.();
    cancelIdle = undefined;
    while (asked.size < AHEAD) {
      const waiting = urgencies
        .map((urgency) => queues[urgency])
        .find((queue) => queue.length > 0)
        ?.shift();
      if (!waiting) break;
      worker ??= start();
      const turn = ++turns;
      asked.set(turn, waiting);
      worker.postMessage({ turn, ask: waiting.ask } satisfies ToDrain);
    }
    if (asked.size === 0) cancelIdle = clock.after(IDLE_MS, () => void end());
  }
  async function end(): Promise<void> {
    cancelIdle?.();
    const ending = worker;
    fail(new GatehouseError('journal.closed', 'The reader was closed'));
    if (!ending) return;
    ending.ref();
    const gone = new Promise<void>((resolve) => ending.once('exit', () => resolve()));
    ending.postMessage({ close: true } satisfies ToDrain);
    await gone;
  }
  next();
  worker ??= start(); // while the first connection is being made
  return {
    users: 0,
    read: (ask, urgency) =>
      new Promise((resolve, reject) => {
        queues[urgency].push({ ask, resolve, reject });
        next();
      }),
    end,
  };
}
