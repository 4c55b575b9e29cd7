/** What becomes durable of one command, and when the command may go on. */
import { type Clock, delay } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { Journal, Unit } from '../journal/journal.ts';
import type { Log } from '../log.ts';

/** Fire does not wait longer for the disk (F7). */
const PATIENCE_MS = 300;
const RETRY_MS = [1000, 2000, 4000, 8000, 16_000, 30_000] as const;

export interface Recorder {
  /**
   * Resolves once this is durable; without anything, once `accepted` is. The first call commits what was given at the start
   * with it: an output that is free begins in the transaction that accepts, one flush of the disk instead of two.
   * @throws GatehouseError `journal.*`
   */
  commit(next?: Unit): Promise<void>;
  /** `accepted` is durable, and with it the key. */
  readonly written: Promise<void>;
}

const joined = (a: Unit, b: Unit): Unit => ({
  records: [...(a.records ?? []), ...(b.records ?? [])],
  writes: [...(a.writes ?? []), ...(b.writes ?? [])],
});
const isEmpty = ({ records = [], writes = [] }: Unit): boolean => records.length + writes.length === 0;

export function createRecorder(journal: Journal, first: Unit): Recorder {
  let accepted: Promise<unknown> | undefined;
  const { promise: written, resolve, reject } = Promise.withResolvers<void>();
  written.catch(() => undefined); // listened to where it matters
  return {
    async commit(next = {}) {
      if (accepted) {
        await accepted; // what was refused does not go on
        if (!isEmpty(next)) await journal.commit(next);
        return;
      }
      accepted = journal.commit(joined(first, next));
      accepted.then(() => resolve(), reject);
      await accepted;
    },
    written,
  };
}

/**
 * For what only makes safe: it is carried out whether the disk takes the record of it or not (reliability.md R7, AU5, F7),
 * and recorded as soon as the disk does.
 */
export function createFailSafeRecorder(
  parts: { journal: Journal; clock: Clock; log: Log; stopped: AbortSignal },
  first: Unit,
): Recorder {
  const { journal, clock, log, stopped } = parts;
  let waiting = first;
  let writing = false;
  /** The try that runs, or ran last; never rejects. */
  let trying: Promise<void> = Promise.resolve();
  const { promise: written, resolve } = Promise.withResolvers<void>();

  async function write(): Promise<void> {
    writing = true;
    for (let tries = 0; !isEmpty(waiting) && !stopped.aborted; ) {
      const unit = waiting;
      waiting = {};
      let failed = false;
      trying = journal.commit(unit).then(
        () => undefined,
        (error: unknown) => {
          failed = true;
          waiting = joined(unit, waiting);
          log.error({ reason: reasonOf(error) }, 'carried out although it cannot be recorded');
        },
      );
      await trying;
      const pause = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)] ?? 0;
      if (failed) await delay(clock, pause, stopped).catch(() => undefined); // stopped: the loop sees it
    }
    writing = false;
    if (isEmpty(waiting)) resolve();
  }

  return {
    async commit(next = {}) {
      waiting = joined(waiting, next);
      if (!writing) void write();
      const patience = new AbortController();
      await Promise.race([trying, delay(clock, PATIENCE_MS, patience.signal).catch(() => undefined)]);
      patience.abort();
    },
    written,
  };
}
