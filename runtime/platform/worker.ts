/** One worker: takes from a source, writes to the database, tells gateways what we read, and asks for what is missing. */
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { createHoleFiller } from './holes.ts';
import type { Delivery, Message } from './message.ts';
import type { Source } from './mqtt-source.ts';
import { createStore, type Say } from './store.ts';

export interface WorkerOptions {
  readonly database: pg.Pool;
  readonly say: Say;
  /** Begins to deliver; `take` resolves when what it was given is committed. */
  source(take: (deliveries: readonly Delivery[]) => Promise<unknown>): Source | Promise<Source>;
  /** How long a hole may stand before it is asked for, ms. */
  readonly holeGraceMs?: number;
}
export interface Worker {
  stop(): Promise<void>;
}

const HOLE_GRACE_MS = 20_000;
const HOLE_PATIENCE_MS = 600_000;
/** How often it looks for holes: a few times in the grace it gives them. */
const LOOKS = 3;
const LEAST_MS = 500;

export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { database, say, source: start, holeGraceMs: graceMs = HOLE_GRACE_MS } = options;
  const stopping = new AbortController();
  const store = createStore(database, say, stopping.signal);
  const announced = new Set<string>();
  const ready = Promise.withResolvers<Source>();

  /** A gateway compresses once it is told that we can read it; a worker tells each once, and again whenever it comes back. */
  function announce(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.type !== 'batch' && message.type !== 'status') continue;
      const topic = `gatehouse/v1/${message.site}/${message.gateway}/down/accept`;
      if (announced.has(topic) && (message.type === 'batch' || message.state !== 'online')) continue;
      announced.add(topic);
      ready.promise.then((line) => line.down(topic, { encoding: ['zstd'] }, true)).catch(() => announced.delete(topic));
    }
  }

  async function take(deliveries: readonly Delivery[]): Promise<void> {
    announce(await store.take(deliveries));
  }

  async function look(source: Source): Promise<void> {
    const now = () => performance.now();
    const fill = createHoleFiller({ database, down: source.down, now, graceMs, patienceMs: HOLE_PATIENCE_MS });
    while (!stopping.signal.aborted) {
      try {
        await delay(Math.max(LEAST_MS, graceMs / LOOKS), undefined, { signal: stopping.signal });
        const asked = await fill();
        if (asked > 0) say('replay', { asked });
      } catch (error) {
        if (stopping.signal.aborted) return;
        say('replay', { reason: error instanceof Error ? error.message : String(error) });
      }
    }
  }

  const source = await start(take);
  ready.resolve(source);
  const looking = look(source);
  return {
    async stop() {
      const stopped = source.stop();
      stopping.abort(new Error('stopped'));
      await Promise.all([stopped, looking]);
    },
  };
}
