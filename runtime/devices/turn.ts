/**
 * Messages of devices that arrive in one turn of the event loop are committed together: one unit of the journal, one
 * promise, one answer for all of them. Each is still answered only once it is durable itself (reliability.md R1).
 */
import type { Draft } from '../contracts/record.ts';
import type { Journal } from '../journal/journal.ts';

/** Called once: with nothing when the message is durable, with the error of the journal when it is not. */
export type Settled = (error?: unknown) => void;

export interface Turn {
  /** @param settled called even when `records` is empty, and then too after all that was added before it. */
  add(records: readonly Draft[], settled: Settled): void;
  /** Hands over what has been added, so that whatever is committed next comes after it. */
  flush(): void;
}

/** More would make the writer wait for the whole turn instead of working beside it. */
const MOST = 128;

export function createTurn(journal: Pick<Journal, 'commit'>): Turn {
  let records: Draft[] = [];
  let waiting: Settled[] = [];
  let scheduled = false;

  function flush(): void {
    if (waiting.length === 0) return;
    const settled = waiting;
    const unit = { records };
    records = [];
    waiting = [];
    const tell = (error?: unknown) => {
      for (const one of settled) one(error);
    };
    journal.commit(unit).then(() => tell(), tell);
  }

  return {
    add(more, settled) {
      for (const record of more) records.push(record);
      waiting.push(settled);
      if (records.length >= MOST) flush();
      else if (!scheduled) {
        scheduled = true;
        setImmediate(() => {
          scheduled = false;
          flush();
        });
      }
    },
    flush,
  };
}
